// What getStats() tells (Identifiers for WebRTC's Statistics API), in the words of a person who asks
// why a call is bad.

/**
 * @typedef {object} End
 * @property {string} type `host`, `srflx`, `prflx` or `relay`
 * @property {string} protocol `udp` or `tcp`; of a relay, what leads to it
 * @property {string} address with the port; empty where the browser hides it
 *
 * @typedef {object} Pair
 * @property {End} local
 * @property {End} remote
 * @property {string} state as of RFC 8445: `succeeded`, `in-progress` …
 * @property {boolean} selected whether media takes it
 * @property {number | null} rtt in ms
 *
 * @typedef {object} Flow
 * @property {'in' | 'out'} direction
 * @property {string} kind
 * @property {string} codec
 * @property {number | null} bitrate in bit/s, since the report before; null in the first
 * @property {number | null} loss 0 to 1, since the report before
 * @property {number | null} jitter in ms
 * @property {string} size of the pictures, such as `1280×720`
 * @property {number | null} frames per second
 *
 * @typedef {object} Report
 * @property {'direct' | 'relay' | 'unknown'} path
 * @property {number | null} rtt in ms
 * @property {Pair[]} pairs the selected one first
 * @property {Flow[]} flows
 *
 * @typedef {Map<string, {at: number, bytes: number, packets: number, lost: number}>} Sample
 */

/**
 * @param {RTCStatsReport} stats
 * @param {Sample | null} before the sample that the last report gave
 * @returns {{report: Report, sample: Sample}}
 */
export function report(stats, before) {
  /** @type {any[]} */
  const all = [...stats.values()];
  const byId = (/** @type {string} */ id) => all.find((found) => found.id === id);
  const chosen = all.find((found) => found.type === 'transport' && found.selectedCandidatePairId)?.selectedCandidatePairId;
  const pairs = all.filter(({ type }) => type === 'candidate-pair').map((pair) => ({
    local: end(byId(pair.localCandidateId)),
    remote: end(byId(pair.remoteCandidateId)),
    state: pair.state ?? '',
    // Firefox says it of the pair itself.
    selected: chosen ? pair.id === chosen : pair.selected === true || (pair.nominated && pair.state === 'succeeded'),
    rtt: milliseconds(pair.currentRoundTripTime),
  })).sort((one, other) => Number(other.selected) - Number(one.selected) || rank(one) - rank(other));

  /** @type {Sample} */
  const sample = new Map();
  const flows = all.filter(({ type }) => type === 'inbound-rtp' || type === 'outbound-rtp')
    .filter(({ bytesReceived, bytesSent }) => bytesReceived || bytesSent)
    .map((flow) => flowOf(flow, byId, before, sample));
  const way = pairs.find(({ selected }) => selected);
  const relayed = way && [way.local, way.remote].some(({ type }) => type === 'relay');
  return {
    report: {
      path: way ? (relayed ? 'relay' : 'direct') : 'unknown',
      rtt: way?.rtt ?? flows.map(({ rtt }) => rtt).find((rtt) => rtt !== null) ?? null,
      pairs,
      flows,
    },
    sample,
  };
}

/**
 * The way that media takes, or which were tried in vain, for whoever looks into it later.
 * @param {RTCStatsReport} stats
 */
export function wayOf(stats) {
  const { pairs } = report(stats, null).report;
  const [first] = pairs;
  if (first?.selected) return `media took ${kinds(first)}`;
  /** @type {Map<string, number>} */
  const tried = new Map();
  for (const pair of pairs) {
    const what = `${kinds(pair)} ${pair.state}`;
    tried.set(what, (tried.get(what) ?? 0) + 1);
  }
  const told = [...tried].slice(0, 8).map(([what, count]) => `${count} × ${what}`);
  return `no way for media: ${told.join(', ') || 'the other side sent no candidate that fits'}`;
}

/** @param {Pair} pair */
const kinds = ({ local, remote }) => `${local.type} – ${remote.type} over ${local.protocol}`;

/**
 * @param {any} flow
 * @param {(id: string) => any} byId
 * @param {Sample | null} before
 * @param {Sample} sample
 */
function flowOf(flow, byId, before, sample) {
  const incoming = flow.type === 'inbound-rtp';
  const far = incoming ? null : byId(flow.remoteId);
  const now = {
    at: flow.timestamp,
    bytes: (incoming ? flow.bytesReceived : flow.bytesSent) ?? 0,
    packets: (incoming ? flow.packetsReceived : flow.packetsSent) ?? 0,
    lost: (incoming ? flow.packetsLost : far?.packetsLost) ?? 0,
  };
  sample.set(flow.id, now);
  const then = before?.get(flow.id);
  const seconds = then ? (now.at - then.at) / 1000 : 0;
  const packets = then ? now.packets - then.packets + (incoming ? now.lost - then.lost : 0) : 0;
  const { mimeType = '', clockRate } = byId(flow.codecId) ?? {};
  const name = mimeType.split('/')[1] ?? '';
  return {
    direction: /** @type {'in' | 'out'} */ (incoming ? 'in' : 'out'),
    kind: `${flow.kind ?? flow.mediaType ?? ''}`,
    codec: name && flow.kind === 'audio' && clockRate ? `${name} ${clockRate / 1000} kHz` : name,
    bitrate: seconds > 0 && then ? Math.max(0, ((now.bytes - then.bytes) * 8) / seconds) : null,
    loss: then && packets > 0 ? Math.min(1, Math.max(0, (now.lost - then.lost) / packets)) : null,
    jitter: milliseconds(incoming ? flow.jitter : far?.jitter),
    size: flow.frameWidth ? `${flow.frameWidth}×${flow.frameHeight}` : '',
    frames: flow.framesPerSecond ?? null,
    rtt: milliseconds(far?.roundTripTime),
  };
}

/** @param {any} candidate @returns {End} */
function end(candidate) {
  const { candidateType = '', protocol = '', relayProtocol, address, ip, port } = candidate ?? {};
  const host = address ?? ip ?? '';
  const shown = host.includes(':') ? `[${host}]` : host;
  return { type: candidateType, protocol: relayProtocol ?? protocol, address: shown && `${shown}:${port}` };
}

/** @param {Pair} pair */
const rank = ({ state }) => {
  const at = STATES.indexOf(state);
  return at < 0 ? STATES.length : at;
};

/** @param {number | undefined} seconds */
const milliseconds = (seconds) => (typeof seconds === 'number' ? seconds * 1000 : null);

const STATES = ['succeeded', 'in-progress', 'inprogress', 'waiting', 'frozen', 'failed', 'cancelled'];
