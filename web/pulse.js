// Whether anything arrives from the peer. ICE proves a way there and back, but not that the peer uses
// it: after a restart one side was seen to send to candidates of before, with both “connected”.

export class Pulse {
  /** Of a second ago at most. @type {RTCStatsReport | null} */
  stats = null;

  #pc;
  #tell;
  /** What had arrived when something did last. */
  #seen = '';
  #last = 0;
  /** After the first alarm as long as a restart may take, then doubled: a peer may have nothing to say. */
  #patience = SILENT_PATIENCE;
  #silent = false;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #clock;

  /**
   * @param {RTCPeerConnection} pc
   * @param {(alive: boolean) => void} tell nothing arrives any more, told again while that lasts; or
   *   something does again
   */
  constructor(pc, tell) {
    this.#pc = pc;
    this.#tell = tell;
  }

  /** From now on something should arrive. */
  start() {
    this.#last = performance.now();
    this.#clock ??= setInterval(() => this.#look(), EVERY);
  }

  close() {
    clearInterval(this.#clock);
  }

  async #look() {
    const stats = await this.#pc.getStats().catch(() => null); // Closed meanwhile.
    if (!stats || this.#pc.signalingState === 'closed') return;
    this.stats = stats;
    // Where both are on hold there is nothing to come.
    if (!this.#pc.getTransceivers().some(({ currentDirection }) => currentDirection?.includes('recv'))) {
      this.#last = performance.now();
      return;
    }
    const now = signs(stats);
    // Before the first sign there is nothing to miss: a call may be of data alone.
    if (now !== this.#seen) {
      this.#seen = now;
      this.#last = performance.now();
      this.#patience = SILENT_PATIENCE;
      if (this.#silent) this.#tell(true);
      this.#silent = false;
    } else if (now !== NONE && performance.now() - this.#last > this.#patience) {
      this.#last = performance.now();
      this.#patience = this.#silent ? 2 * this.#patience : NEXT_PATIENCE;
      this.#silent = true;
      this.#tell(false);
    }
  }
}

/**
 * Other text whenever RTP or RTCP arrived: a peer that is muted may send the latter alone.
 * @param {RTCStatsReport} stats
 */
function signs(stats) {
  let packets = 0;
  let reported = 0;
  for (const { type, packetsReceived = 0, timestamp } of stats.values()) {
    if (type === 'inbound-rtp') packets += packetsReceived;
    if (type === 'remote-inbound-rtp' || type === 'remote-outbound-rtp') reported = Math.max(reported, timestamp);
  }
  return `${packets} ${reported}`;
}

const NONE = '0 0';
/** In ms. RTCP comes every 2.5 to 7.5 s where it comes alone (RFC 3550 §6.2). */
const SILENT_PATIENCE = 10_000;
/** {@link Path} lets a restart that was agreed have its time. */
const NEXT_PATIENCE = 12_000;
const EVERY = 1000;
