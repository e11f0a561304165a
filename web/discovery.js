// Where a domain takes XMPP from browsers: XEP-0156, "Discovering Alternative XMPP Connection Methods".

import { CampanaError } from './errors.js';

/**
 * @typedef {object} Endpoints
 * @property {string} [websocket] RFC 7395
 * @property {string} [bosh] XEP-0206, for networks that let no WebSocket through
 */

/**
 * Asks `https://domain/.well-known/host-meta.json`, then the XRD form (XEP-0156 §3.1).
 * @param {string} domain
 * @param {typeof globalThis.fetch} [fetch]
 * @returns {Promise<Endpoints>}
 */
export async function discover(domain, fetch = globalThis.fetch) {
  /** @type {unknown} */
  let cause;
  for (const [file, links] of FORMS) {
    try {
      const answer = await fetch(`https://${domain}/.well-known/${file}`, {
        credentials: 'omit', signal: AbortSignal.timeout(PATIENCE),
      });
      if (!answer.ok) throw new Error(`${file}: ${answer.status}`);
      const found = endpoints(links(await answer.text()));
      if (found.websocket || found.bosh) return found;
    } catch (error) {
      cause = error;
    }
  }
  throw new CampanaError('no-address', `${domain} does not say where browsers may connect (XEP-0156)`, cause);
}

/** @param {{rel: string, href: string}[]} links */
function endpoints(links) {
  // Only encrypted ones: §5 of the XEP leaves the others to the impatient.
  const find = (/** @type {string} */ rel, /** @type {string} */ scheme) => (
    links.find((link) => link.rel === rel && link.href?.startsWith(scheme))?.href
  );
  return { websocket: find(WEBSOCKET, 'wss:'), bosh: find(BOSH, 'https:') };
}

/** @param {string} text */
function linksOfJson(text) {
  const { links } = JSON.parse(text);
  return Array.isArray(links) ? links : [];
}

/** @param {string} text */
function linksOfXrd(text) {
  const xrd = new DOMParser().parseFromString(text, 'application/xml');
  return [...xrd.getElementsByTagNameNS('*', 'Link')].map((link) => ({
    rel: link.getAttribute('rel') ?? '', href: link.getAttribute('href') ?? '',
  }));
}

/** @type {[string, (text: string) => {rel: string, href: string}[]][]} */
const FORMS = [['host-meta.json', linksOfJson], ['host-meta', linksOfXrd]];
const WEBSOCKET = 'urn:xmpp:alt-connections:websocket';
const BOSH = 'urn:xmpp:alt-connections:xbosh';
const PATIENCE = 5000;
