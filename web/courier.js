// Lends the service a voice: contacts call and are called at the person's own address, and all that
// is known of Jingle stays in Campana. What comes for this device is handed in as it is; what the
// service gives us to send is sent, if it is of one of the two namespaces below, and nothing else.

import { NS, child, element } from './stanza.js';
import { StanzaError } from './errors.js';
import { MESSAGE, StoredCalls, wordOf } from './stored.js';

/**
 * What it takes of a connection: {@link import('./stream.js').Stream} has it.
 * @typedef {object} Carriage
 * @property {(listener: (stanza: Element) => void, name: string,
 *   which: {namespace: string, types?: string[]}) => void} listen calls for each stanza
 *   with the namespace, itself or in what it forwards
 * @property {(stanza: Element) => void} send
 * @property {(to: string, type: 'set', payload: Element) => Promise<Element>} request sends an IQ and
 *   gives its reply; an error rejects with a {@link StanzaError} that holds it
 * @property {(iq: Element, error?: Element) => void} reply a result, or this very `<error/>`
 * @property {string} jid our address
 */

export class Courier {
  #stream;
  #service;

  /**
   * @param {Carriage} stream
   * @param {string} service
   * @param {(missed: import('./stored.js').Missed) => void} tell of a call that was over before we came
   */
  constructor(stream, service, tell) {
    this.#stream = stream;
    this.#service = service;
    // Messages have no replies.
    const handIn = (/** @type {Element} */ message) => this.#handIn(message).catch(() => {});
    const stored = new StoredCalls(() => stream.jid, handIn, tell);
    // A listener hears of stanzas with the namespace anywhere in them, so we look where it stands.
    stream.listen((iq) => {
      // A peer's request is answered with what the service answered.
      if (iq.firstElementChild?.namespaceURI === JINGLE) this.#mirror(iq, this.#handIn(iq));
    }, 'iq', { namespace: JINGLE, types: ['set'] });
    stream.listen((message) => {
      if (wordOf(message) && !stored.take(message)) handIn(message);
    }, 'message', { namespace: MESSAGE });
  }

  /**
   * The service gives us a stanza to send. Whatever the peer replies is the reply to the service.
   * @param {Element} iq
   */
  send(iq) {
    const forwarded = child(iq, 'carried', NS.session)?.firstElementChild;
    const stanza = forwarded?.firstElementChild;
    const payload = stanza?.firstElementChild;
    const to = stanza?.getAttribute('to');
    const { localName: name } = stanza ?? {};
    if (iq.getAttribute('from') === this.#service && stanza && payload && to) {
      if (name === 'message' && payload.namespaceURI === MESSAGE && onlyCalls(stanza)) {
        this.#stream.send(/** @type {Element} */ (stanza.cloneNode(true)));
        return this.#stream.reply(iq);
      }
      if (name === 'iq' && payload.namespaceURI === JINGLE && stanza.getAttribute('type') === 'set') {
        const sent = this.#stream.request(to, 'set', /** @type {Element} */ (payload.cloneNode(true)));
        return this.#mirror(iq, sent);
      }
    }
    return this.#stream.reply(iq, error('modify', 'bad-request'));
  }

  /** @param {Element} stanza */
  #handIn(stanza) {
    const forwarded = element('forwarded', { xmlns: FORWARD }, /** @type {Element} */ (stanza.cloneNode(true)));
    return this.#stream.request(this.#service, 'set', element('carried', { xmlns: NS.session }, forwarded));
  }

  /** Answers one request as another was answered. @param {Element} iq @param {Promise<Element>} other */
  async #mirror(iq, other) {
    try {
      await other;
      this.#stream.reply(iq);
    } catch (failure) {
      const said = failure instanceof StanzaError && failure.stanza && child(failure.stanza, 'error');
      this.#stream.reply(iq, said || error('wait', 'remote-server-timeout'));
    }
  }
}

/** Whether nothing rides along but a word to the server on keeping it. @param {Element} message */
const onlyCalls = (message) => [...message.children]
  .every(({ namespaceURI }) => namespaceURI === MESSAGE || namespaceURI === HINTS);

/** @param {string} type @param {string} condition */
const error = (type, condition) => element('error', { type }, element(condition, { xmlns: NS.errors }));

const JINGLE = 'urn:xmpp:jingle:1';
const HINTS = 'urn:xmpp:hints';
const FORWARD = 'urn:xmpp:forward:0';
