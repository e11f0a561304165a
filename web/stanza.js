// Elements, addresses and stanza errors: what is left of XML once Strophe.js has done its part.

import { $build, Strophe } from 'strophe.js';

import { StanzaError } from './errors.js';

export const NS = {
  session: 'urn:x-campana:sdp:0',
  services: 'urn:xmpp:extdisco:2',
  info: 'http://jabber.org/protocol/disco#info',
  ping: 'urn:xmpp:ping',
  rsm: 'http://jabber.org/protocol/rsm',
  errors: 'urn:ietf:params:xml:ns:xmpp-stanzas',
};

/**
 * What an error stanza says.
 * @param {Element} stanza
 */
export function stanzaError(stanza) {
  const defined = [...(child(stanza, 'error')?.children ?? [])]
    .filter((found) => found.namespaceURI === NS.errors);
  const condition = defined.find((found) => found.localName !== 'text');
  const text = defined.find((found) => found.localName === 'text');
  return new StanzaError(condition?.localName ?? 'undefined-condition', text?.textContent ?? '', stanza);
}

/**
 * A new element. Undefined and null attributes are left out.
 * @param {string} name
 * @param {Record<string, string | number | boolean | null | undefined>} [attributes]
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

/**
 * Where the service takes calls for a person (XEP-0106); an address of the service stays as it is.
 * @param {string} address
 * @param {string} service
 */
export function gatewayAddress(address, service) {
  const person = address.trim().split('/', 1)[0];
  return domain(person) === domain(service) ? person : `${Strophe.escapeNode(person)}@${service}`;
}

/**
 * The person behind a gateway address, for people to read.
 * @param {string} address
 */
export function personOf(address) {
  const node = Strophe.getNodeFromJid(address) ?? '';
  return node.includes('\\40') ? `${Strophe.unescapeNode(node)}` : bare(address);
}

/** @param {number} bytes */
export function randomId(bytes) {
  const random = crypto.getRandomValues(new Uint8Array(bytes));
  return Array.from(random, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** @param {string | null | undefined} words such as `audio video` */
export const mediaOf = (words) => ({
  audio: /\baudio\b/.test(words ?? ''), video: /\bvideo\b/.test(words ?? ''),
});

/** @param {{audio?: boolean, video?: boolean}} media */
export const mediaWords = ({ audio, video }) => [audio && 'audio', video && 'video'].filter(Boolean).join(' ');
