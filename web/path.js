// The way media takes: when it breaks, or the network changes, ICE starts anew (RFC 8445 §2.4).

/**
 * @typedef {object} Steps
 * @property {() => void} restart starts ICE anew
 * @property {(up: boolean) => void} change media flows, or does no more for now
 * @property {() => void} lost nothing helped
 */

export class Path {
  #pc;
  #steps;
  #wasUp = false;
  #restarted = -Infinity;
  /** Before the next restart; the side that was called waits, so that only one offers. */
  #grace;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #restartTimer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #lostTimer;
  #stop = new AbortController();

  /**
   * @param {RTCPeerConnection} pc
   * @param {boolean} caller whether this side began the call
   * @param {Steps} steps
   */
  constructor(pc, caller, steps) {
    this.#pc = pc;
    this.#steps = steps;
    this.#grace = caller ? 0 : SECOND_GRACE;
    const once = { signal: this.#stop.signal };
    pc.addEventListener('connectionstatechange', () => this.#changed(), once);
    const moved = () => {
      if (this.#wasUp) this.#restartIn(NETWORK_GRACE + this.#grace);
    };
    globalThis.addEventListener?.('online', moved, once);
    // Only some browsers tell that Wi-Fi became a mobile network.
    const { connection } = /** @type {{connection?: EventTarget}} */ (navigator);
    connection?.addEventListener?.('change', moved, once);
  }

  close() {
    this.#stop.abort();
    clearTimeout(this.#restartTimer);
    clearTimeout(this.#lostTimer);
  }

  #changed() {
    switch (this.#pc.connectionState) {
      case 'connected':
        this.#wasUp = true;
        clearTimeout(this.#restartTimer);
        clearTimeout(this.#lostTimer);
        this.#lostTimer = undefined;
        this.#steps.change(true);
        break;
      case 'disconnected':
        // It often returns by itself.
        this.#restartIn(DISCONNECTED_GRACE + this.#grace);
        this.#steps.change(false);
        break;
      case 'failed':
        this.#steps.change(false);
        if (!this.#wasUp) this.#steps.lost();
        else this.#restartIn(this.#grace);
        break;
      default:
    }
  }

  /** @param {number} ms */
  #restartIn(ms) {
    clearTimeout(this.#restartTimer);
    this.#lostTimer ??= setTimeout(() => {
      this.#lostTimer = undefined;
      if (this.#pc.connectionState !== 'connected') this.#steps.lost();
    }, LOST_PATIENCE);
    const rest = Math.max(ms, this.#restarted + RESTART_EVERY - performance.now());
    this.#restartTimer = setTimeout(() => {
      if (this.#pc.signalingState === 'closed') return;
      this.#restarted = performance.now();
      this.#steps.restart();
      // Again, until it helped or the patience is over.
      if (this.#pc.connectionState !== 'connected') this.#restartIn(RESTART_EVERY);
    }, rest);
  }
}

/** In ms. */
const DISCONNECTED_GRACE = 3000;
const NETWORK_GRACE = 500;
const SECOND_GRACE = 2500;
const RESTART_EVERY = 6000;
/** As long as the service waits for a device that went away, and a little. */
const LOST_PATIENCE = 35_000;
