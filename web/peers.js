// Who can be called, as the service tells it and keeps telling it.

import { NS, bare, child, element, mediaOf } from './stanza.js';

/**
 * @typedef {'chat' | 'available' | 'away' | 'xa' | 'dnd' | 'unavailable'} Show
 *
 * @typedef {object} Peer
 * @property {string} jid the person
 * @property {string} address where the service takes calls for that person
 * @property {string} name what the person is called, or the address
 * @property {Show} show
 * @property {{audio: boolean, video: boolean}} media what some device of the person takes
 * @property {{type: string, media: {audio: boolean, video: boolean}, own: boolean}[]} devices `own`: it
 *   rings when the person's own address is called
 */

/** Event: `change`, whenever anything in the list did. */
export class Peers extends EventTarget {
  /** @type {Map<string, Peer>} */
  #people = new Map();

  /** Those who can be called first, then by name. @returns {Peer[]} */
  get list() {
    return [...this.#people.values()].sort((one, other) => (
      Number(one.show === 'unavailable') - Number(other.show === 'unavailable')
        || one.name.localeCompare(other.name) || one.jid.localeCompare(other.jid)
    ));
  }

  /** @param {string} jid */
  get(jid) {
    return this.#people.get(bare(jid));
  }

  /**
   * Asks for the whole list, page by page (XEP-0059), and replaces what was known.
   * @param {(payload: Element) => Promise<Element>} ask
   * @param {boolean} watch whether changes are wanted from now on
   */
  async load(ask, watch) {
    /** @type {Map<string, Peer>} */
    const people = new Map();
    let after = null;
    for (let page = 0; page < MAX_PAGES; page += 1) {
      const set = element('set', { xmlns: NS.rsm }, ...(after ? [element('after', {}, after)] : []));
      const query = element('peers', { xmlns: NS.session, watch: watch || undefined }, ...(after ? [set] : []));
      const peers = child(await ask(query), 'peers', NS.session);
      if (!peers) break;
      const before = people.size;
      for (const peer of read(peers)) people.set(bare(peer.jid), peer);
      const answer = child(peers, 'set', NS.rsm);
      const total = Number(answer && child(answer, 'count')?.textContent);
      after = (answer && child(answer, 'last')?.textContent) ?? null;
      if (!after || people.size === before || people.size >= total) break;
    }
    this.#people = people;
    this.#changed();
  }

  /** What the service pushed: changed people only. @param {Element} peers */
  update(peers) {
    for (const peer of read(peers)) this.#people.set(bare(peer.jid), peer);
    this.#changed();
  }

  #changed() {
    this.dispatchEvent(new Event('change'));
  }
}

/** @param {Element} peers @returns {Peer[]} */
const read = (peers) => [...peers.children]
  .filter((found) => found.localName === 'peer' && found.getAttribute('jid'))
  .map((peer) => {
    const jid = peer.getAttribute('jid') ?? '';
    return {
      jid,
      address: peer.getAttribute('address') ?? jid,
      name: peer.getAttribute('name') || jid,
      show: /** @type {Show} */ (peer.getAttribute('show') ?? 'available'),
      media: mediaOf(peer.getAttribute('media')),
      devices: [...peer.children].filter((found) => found.localName === 'device').map((device) => ({
        type: device.getAttribute('type') ?? '', media: mediaOf(device.getAttribute('media')),
        own: /^(true|1)$/.test(device.getAttribute('own') ?? ''),
      })),
    };
  });

const MAX_PAGES = 100;
