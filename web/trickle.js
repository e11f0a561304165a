// Local candidates on their way out (RFC 8838): they come in bursts, and each stanza costs.

import { element } from './stanza.js';

export class Trickle {
  #send;
  /** @type {Element[]} */
  #waiting = [];
  /** The mids that have gathered candidates since the last description. @type {Set<string>} */
  #gathered = new Set();
  #open = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #tick;

  /** @param {(...events: Element[]) => void} send one stanza's worth */
  constructor(send) {
    this.#send = send;
  }

  /** Holds candidates back: a description that names their section is about to be sent. */
  hold() {
    this.#open = false;
  }

  /** The description was sent. */
  release() {
    this.#open = true;
    this.#flushLater();
  }

  /** @param {RTCIceCandidate | null} candidate null when gathering is over */
  add(candidate) {
    if (candidate?.candidate) {
      const { sdpMid, sdpMLineIndex, usernameFragment } = candidate;
      this.#gathered.add(sdpMid ?? '0');
      this.#waiting.push(element('candidate', {
        mid: sdpMid, index: sdpMLineIndex, ufrag: usernameFragment,
      }, candidate.candidate));
    } else if (!candidate) {
      for (const mid of this.#gathered) this.#waiting.push(element('end-of-candidates', { mid }));
      this.#gathered.clear();
    }
    this.#flushLater();
  }

  close() {
    clearTimeout(this.#tick);
    this.#waiting = [];
    this.#open = false;
  }

  #flushLater() {
    if (this.#tick || !this.#open || this.#waiting.length === 0) return;
    this.#tick = setTimeout(() => {
      this.#tick = undefined;
      while (this.#open && this.#waiting.length > 0) this.#send(...this.#batch());
    }, TICK);
  }

  /** The next that fit into one stanza: candidates, then ends. */
  #batch() {
    const wrong = this.#waiting.findIndex((event, at) => (
      at >= MAX_BATCH || (event.localName === 'candidate' && this.#waiting[at - 1]?.localName === 'end-of-candidates')
    ));
    return this.#waiting.splice(0, wrong < 0 ? this.#waiting.length : wrong);
  }
}

/** In ms. */
const TICK = 30;
/** Half of what a stanza may hold. */
const MAX_BATCH = 32;
