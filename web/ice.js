// STUN and TURN servers as XEP-0215 tells them and RTCPeerConnection takes them.

/**
 * @param {Element | undefined} services `<services/>`
 * @returns {RTCIceServer[]}
 */
export function iceServers(services) {
  return [...(services?.children ?? [])]
    .filter((service) => TYPES.includes(service.getAttribute('type') ?? ''))
    .map(iceServer);
}

/**
 * @param {Element} service
 * @returns {RTCIceServer}
 */
function iceServer(service) {
  const [type, host, port, transport, username, password] = [
    'type', 'host', 'port', 'transport', 'username', 'password',
  ].map((name) => service.getAttribute(name) ?? '');
  const authority = host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
  const relays = type.startsWith('turn');
  // A stun: URL has no transport (RFC 7064); with one Chromium refuses the whole configuration.
  const urls = `${type}:${authority}${port && `:${port}`}${relays && transport ? `?transport=${transport}` : ''}`;
  return relays ? { urls, username, credential: password } : { urls };
}

const TYPES = ['stun', 'stuns', 'turn', 'turns'];
