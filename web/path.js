// The way media takes: when it breaks, or the network changes, ICE starts anew (RFC 8445 §2.4).

import { ufragOf } from './negotiation.js';
import { Pulse } from './pulse.js';

/**
 * @typedef {object} Steps
 * @property {() => Promise<void>} prepare gets ready to start ICE anew; never rejects
 * @property {() => void} restart starts it anew
 * @property {(up: boolean) => void} change media flows, or does no more for now
 * @property {() => void} lost nothing helped
 */

export class Path {
  #pc;
  #steps;
  #pulse;
  #wasUp = false;
  /** No restart begins before. */
  #earliest = -Infinity;
  /** Of our ICE credentials: each restart, by whichever side, changes them. */
  #ufrag = '';
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
    this.#pulse = new Pulse(pc, (alive) => this.#heard(alive));
    const once = { signal: this.#stop.signal };
    pc.addEventListener('connectionstatechange', () => this.#changed(), once);
    pc.addEventListener('signalingstatechange', () => this.#negotiated(), once);
    const moved = () => {
      if (this.#wasUp) this.#restartIn(NETWORK_GRACE + this.#grace);
    };
    globalThis.addEventListener?.('online', moved, once);
    // Only some browsers tell that Wi-Fi became a mobile network.
    const { connection } = /** @type {{connection?: EventTarget}} */ (navigator);
    connection?.addEventListener?.('change', moved, once);
  }

  /** What the browser counts of it, of a second ago at most. */
  get stats() {
    return this.#pulse.stats;
  }

  close() {
    this.#stop.abort();
    this.#pulse.close();
    this.#cancelRestart();
    clearTimeout(this.#lostTimer);
  }

  #changed() {
    switch (this.#pc.connectionState) {
      case 'connected':
        this.#wasUp = true;
        this.#pulse.start();
        this.#cancelRestart();
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

  /**
   * Nothing arrives though ICE finds nothing wrong, or something does again.
   * @param {boolean} alive
   */
  #heard(alive) {
    if (this.#pc.connectionState !== 'connected') return;
    if (alive) this.#cancelRestart();
    else this.#restartIn(this.#grace);
    this.#steps.change(alive);
  }

  /**
   * Whichever side began it, a restart was agreed: it gets its time. Browsers do not stand two in a
   * row: one may go on sending to candidates of the first where the other listens to those of the second.
   */
  #negotiated() {
    if (this.#pc.signalingState !== 'stable') return;
    const ufrag = ufragOf(this.#pc.localDescription);
    if (ufrag === this.#ufrag) return;
    if (this.#ufrag) this.#earliest = performance.now() + AGREED_PATIENCE;
    this.#ufrag = ufrag;
    if (this.#restartTimer !== undefined) this.#restartIn(0);
  }

  /** @param {number} ms */
  #restartIn(ms) {
    this.#lostTimer ??= setTimeout(() => {
      this.#lostTimer = undefined;
      if (this.#pc.connectionState !== 'connected') this.#steps.lost();
    }, LOST_PATIENCE);
    const rest = Math.max(ms, this.#earliest - performance.now());
    this.#cancelRestart();
    this.#restartTimer = setTimeout(() => this.#restart(), rest);
  }

  #cancelRestart() {
    clearTimeout(this.#restartTimer);
    this.#restartTimer = undefined;
  }

  async #restart() {
    this.#earliest = performance.now() + RESTART_EVERY;
    const ufrag = this.#ufrag;
    const wasConnected = this.#pc.connectionState === 'connected';
    // Again, until it helped or the patience is over.
    if (wasConnected) this.#cancelRestart();
    else this.#restartIn(RESTART_EVERY);
    await this.#steps.prepare();
    // That may have taken its time: the other side restarted, or the path is back, or an offer is out.
    const { connectionState, signalingState } = this.#pc;
    if (ufrag !== this.#ufrag || signalingState === 'closed') return;
    if (wasConnected || (connectionState !== 'connected' && signalingState === 'stable')) this.#steps.restart();
  }
}

/** In ms. */
const DISCONNECTED_GRACE = 3000;
const NETWORK_GRACE = 500;
const SECOND_GRACE = 2500;
const RESTART_EVERY = 6000;
/** What checks may take once a restart is agreed: on a busy machine Firefox was seen to need nine seconds. */
const AGREED_PATIENCE = 12_000;
/** As long as the service waits for a device that went away, and a little. */
const LOST_PATIENCE = 35_000;
