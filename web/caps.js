// What this device can do, for clients that look before they show a call button: XEP-0030 and
// XEP-0115.

import { NS, child, element } from './stanza.js';

const IDENTITY = { category: 'client', type: 'web', name: 'Campana' };
const NODE = 'urn:x-campana:web';

export class Capabilities {
  /** In the order of the XEP. @type {string[]} */
  #features;
  #ver = '';

  /** @param {string[]} features besides those that every client has */
  constructor(features) {
    this.#features = [...new Set([NS.info, CAPS, ...features])].sort(byOctets);
  }

  /** `<c/>` for presence. */
  async element() {
    this.#ver ||= await verification(this.#features);
    return element('c', { xmlns: CAPS, hash: 'sha-1', node: NODE, ver: this.#ver });
  }

  /**
   * The answer to a disco#info request; nothing for a node that is not ours.
   * @param {Element} iq
   * @returns {Element | undefined}
   */
  answer(iq) {
    const node = child(iq, 'query', NS.info)?.getAttribute('node');
    if (node && node !== `${NODE}#${this.#ver}`) return undefined;
    return element('query', { xmlns: NS.info, node: node || undefined }, element('identity', IDENTITY),
      ...this.#features.map((feature) => element('feature', { var: feature })));
  }
}

/** XEP-0115 §5.1. @param {string[]} features */
async function verification(features) {
  const { category, type, name } = IDENTITY;
  const text = `${category}/${type}//${name}<${features.map((feature) => `${feature}<`).join('')}`;
  const hash = await crypto.subtle.digest('SHA-1', new TextEncoder().encode(text));
  return btoa(String.fromCharCode(...new Uint8Array(hash)));
}

/** i;octet; features are ASCII. @param {string} a @param {string} b */
const byOctets = (a, b) => (a < b ? -1 : Number(a > b));

const CAPS = 'http://jabber.org/protocol/caps';
