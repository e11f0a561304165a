// STUN and TURN servers as XEP-0215 tells them and RTCPeerConnection takes them.

/** @typedef {RTCIceServer & {expires?: number}} IceServer `expires`: as of Date.now(), where that is said */

/**
 * @param {Element | undefined} services `<services/>`
 * @returns {IceServer[]}
 */
export function iceServers(services) {
  return [...(services?.children ?? [])]
    .filter((service) => TYPES.includes(service.getAttribute('type') ?? ''))
    .map(iceServer);
}

/**
 * @param {Element} service
 * @returns {IceServer}
 */
function iceServer(service) {
  const [type, host, port, transport, username, password] = [
    'type', 'host', 'port', 'transport', 'username', 'password',
  ].map((name) => service.getAttribute(name) ?? '');
  const authority = host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
  const relays = type.startsWith('turn');
  // A stun: URL has no transport (RFC 7064); with one Chromium refuses the whole configuration.
  const urls = `${type}:${authority}${port && `:${port}`}${relays && transport ? `?transport=${transport}` : ''}`;
  if (!relays) return { urls };
  const expires = Date.parse(service.getAttribute('expires') ?? '');
  return { urls, username, credential: password, ...expires && { expires } };
}

const TYPES = ['stun', 'stuns', 'turn', 'turns'];
