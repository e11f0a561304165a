// Elements, namespaces and stanza errors: what is left of XML once Strophe.js has done its part.

import { $build } from 'strophe.js';

export const NS = {
  session: 'urn:x-campana:sdp:0',
  services: 'urn:xmpp:extdisco:2',
  info: 'http://jabber.org/protocol/disco#info',
  errors: 'urn:ietf:params:xml:ns:xmpp-stanzas',
};

/** An error that the service, the server or the peer sent, in words for a person. */
export class StanzaError extends Error {
  /**
   * @param {string} condition the defined condition of RFC 6120 §8.3.3, `timeout` for no reply
   * @param {string} text
   */
  constructor(condition, text) {
    super(text || condition.replaceAll('-', ' '));
    this.name = 'StanzaError';
    this.condition = condition;
  }

  /** @param {Element | null} stanza an error stanza; null when no reply came in time */
  static from(stanza) {
    if (!stanza) return new StanzaError('timeout', 'the server did not answer in time');
    const defined = [...(child(stanza, 'error')?.children ?? [])]
      .filter((element) => element.namespaceURI === NS.errors);
    const condition = defined.find((element) => element.localName !== 'text');
    const text = defined.find((element) => element.localName === 'text');
    return new StanzaError(condition?.localName ?? 'undefined-condition', text?.textContent ?? '');
  }
}

/**
 * A new element. Undefined and null attributes are left out.
 * @param {string} name
 * @param {Record<string, string | number | null | undefined>} [attributes]
 * @param {(Element | string)[]} content
 * @returns {Element}
 */
export function element(name, attributes = {}, ...content) {
  const given = Object.entries(attributes).filter(([, value]) => value != null);
  const made = $build(name, Object.fromEntries(given.map(([key, value]) => [key, `${value}`]))).tree();
  made.append(...content);
  return made;
}

/**
 * The first child element of that name.
 * @param {Element} parent
 * @param {string} name
 * @param {string} [namespace]
 * @returns {Element | undefined}
 */
export function child(parent, name, namespace) {
  return [...parent.children].find((found) => (
    found.localName === name && (!namespace || found.namespaceURI === namespace)
  ));
}

/** The part of an address before the slash. */
export const bare = (/** @type {string} */ address) => address.split('/', 1)[0].toLowerCase();

/** The domain of an address. */
export const domain = (/** @type {string} */ address) => bare(address).replace(/^.*@/, '');
