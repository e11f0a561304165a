// Calls that servers kept while this device was away (XEP-0160, XEP-0203). One that is over by now does
// not ring: it was missed.

import { bare, child, mediaOf } from './stanza.js';

/**
 * @typedef {object} Missed a call that nobody took
 * @property {string} person who called
 * @property {import('./media.js').Media} media what was asked for
 * @property {Date} at when
 *
 * @typedef {object} Held
 * @property {Element} message
 * @property {Missed} missed what it is if it does not ring
 * @property {ReturnType<typeof setTimeout>} timer
 */

export class StoredCalls {
  #own;
  #handIn;
  #tell;
  /** Those that wait for what else was kept. @type {Map<string, Held>} */
  #held = new Map();
  /** Those that are over. @type {Set<string>} */
  #over = new Set();

  /**
   * @param {() => string} own our address
   * @param {(message: Element) => void} handIn it may ring
   * @param {(missed: Missed) => void} tell
   */
  constructor(own, handIn, tell) {
    this.#own = own;
    this.#handIn = handIn;
    this.#tell = tell;
  }

  /**
   * Whether the message is about a call that was kept, and seen to here.
   * @param {Element} message
   * @returns {boolean}
   */
  take(message) {
    const said = read(message, bare(this.#own()));
    if (!said) return false;
    const { key, word, isOwn, at } = said;
    if (word.localName === 'propose' && !isOwn && at) {
      if (!this.#held.has(key) && !this.#over.has(key)) this.#hold(message, said.person, key, word, at);
      return true;
    }
    const held = this.#held.get(key);
    // A device of hers may have taken it, or refused it; that one rings says nothing yet.
    if (!held || !(isOwn ? TAKEN : GIVEN_UP).includes(word.localName)) return false;
    this.#end(key, held);
    if (!isOwn) this.#tell(held.missed);
    return true;
  }

  /** @param {Element} message @param {string} person @param {string} key @param {Element} propose @param {Date} at */
  #hold(message, person, key, propose, at) {
    const kinds = [...propose.children].map((description) => description.getAttribute('media')).join(' ');
    const timer = setTimeout(() => {
      const held = this.#held.get(key);
      if (!held) return;
      this.#held.delete(key);
      if (Date.now() - at.getTime() < LONGEST_RING) {
        this.#handIn(message);
      } else {
        this.#end(key, held);
        this.#tell(held.missed);
      }
    }, PATIENCE);
    this.#held.set(key, { message, missed: { person, media: mediaOf(kinds), at }, timer });
  }

  /** @param {string} key @param {Held} held */
  #end(key, held) {
    clearTimeout(held.timer);
    this.#held.delete(key);
    this.#over.add(key);
    if (this.#over.size > MAX_OVER) this.#over.delete(/** @type {string} */ (this.#over.values().next().value));
  }
}

/**
 * What a message says of a call, itself or as a carbon (XEP-0280); nothing if it is about none.
 * @param {Element} message
 */
export function wordOf(message) {
  const copy = [...message.children].find(({ namespaceURI }) => namespaceURI === CARBONS)?.firstElementChild;
  const stanza = copy ? child(copy, 'message') : message;
  const word = [...stanza?.children ?? []].find(({ namespaceURI }) => namespaceURI === MESSAGE);
  return stanza && word && { copy, stanza, word };
}

/**
 * Who said it, about whose call, and since when it was under way.
 * @param {Element} message
 * @param {string} own
 */
function read(message, own) {
  const { copy, stanza, word } = wordOf(message) ?? {};
  if (!stanza || !word || (copy && bare(message.getAttribute('from') ?? own) !== own)) return null;
  const from = bare(stanza.getAttribute('from') ?? '');
  const isOwn = from === own;
  const person = isOwn ? bare(stanza.getAttribute('to') ?? '') : from;
  const stamps = [message, copy, stanza].map((holder) => holder && child(holder, 'delay', DELAY)?.getAttribute('stamp'))
    .map((stamp) => Date.parse(stamp ?? '')).filter((time) => !Number.isNaN(time));
  const at = stamps.length > 0 ? new Date(Math.min(...stamps)) : null;
  return { word, isOwn, person, at, key: `${person} ${word.getAttribute('id')}` };
}

const TAKEN = ['proceed', 'accept', 'reject', 'finish'];
const GIVEN_UP = ['retract', 'finish'];
const MAX_OVER = 100;
/** In ms. What servers kept comes at once. */
const PATIENCE = 1000;
/** The service ends a call before. */
const LONGEST_RING = 180_000;
export const CARBONS = 'urn:xmpp:carbons:2';
export const MESSAGE = 'urn:xmpp:jingle-message:0';
const DELAY = 'urn:xmpp:delay';
