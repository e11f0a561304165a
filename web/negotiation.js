// Offers and answers of one call (RFC 9429): the perfect-negotiation pattern, in which both sides are
// polite, since it is the service that decides which of two offers goes on.

import { CampanaError, StanzaError } from './errors.js';
import { element } from './stanza.js';
import { Trickle } from './trickle.js';

/**
 * @typedef {object} Outlet
 * @property {(...events: Element[]) => Promise<unknown>} signal sends them as one stanza
 * @property {(error: unknown) => void} problem
 */

export class Negotiation {
  #pc;
  #outlet;
  #trickle;
  /** Remote candidates that came before there was a description. @type {RTCIceCandidateInit[]} */
  #early = [];
  /** The first answer was given: from now on either side may offer. */
  #settled = false;
  #closed = false;

  /** @param {RTCPeerConnection} pc @param {Outlet} outlet */
  constructor(pc, outlet) {
    this.#pc = pc;
    this.#outlet = outlet;
    this.#trickle = new Trickle((...events) => {
      outlet.signal(...events).catch((error) => outlet.problem(error));
    });
    pc.addEventListener('icecandidate', ({ candidate }) => this.#trickle.add(candidate));
    pc.addEventListener('negotiationneeded', () => this.#renegotiate());
  }

  /** Whether the first offer was answered. */
  get settled() {
    return this.#settled;
  }

  /** The first offer; rejects when it was refused. */
  offer() {
    return this.#describe();
  }

  /** @param {string} sdp */
  async receiveOffer(sdp) {
    // Takes an offer of ours back, if there is one (RFC 9429 §4.1.10.2).
    await this.#pc.setRemoteDescription({ type: 'offer', sdp });
    await this.#addEarly();
    await this.#describe();
    this.#settled = true;
  }

  /** @param {string} sdp */
  async receiveAnswer(sdp) {
    if (this.#pc.signalingState !== 'have-local-offer') return; // Taken back meanwhile.
    await this.#pc.setRemoteDescription({ type: 'answer', sdp });
    this.#settled = true;
    await this.#addEarly();
  }

  /** @param {RTCIceCandidateInit} candidate */
  async receiveCandidate(candidate) {
    if (!this.#pc.remoteDescription) {
      if (this.#early.length < MAX_EARLY) this.#early.push(candidate);
      return;
    }
    // One bad candidate is one path less.
    await this.#pc.addIceCandidate(candidate).catch((error) => this.#outlet.problem(error));
  }

  close() {
    this.#closed = true;
    this.#trickle.close();
  }

  async #addEarly() {
    for (const candidate of this.#early.splice(0)) await this.receiveCandidate(candidate);
  }

  /** Tracks were changed in mid-call, or another path is wanted. */
  async #renegotiate() {
    if (!this.#settled || this.#pc.signalingState !== 'stable' || this.#closed) return;
    try {
      await this.#describe();
    } catch (error) {
      if (this.#closed) return;
      if (error instanceof StanzaError && error.condition === 'conflict') {
        // The peer's offer is under way; the browser asks again after it. Should it not come:
        setTimeout(() => this.#takeBack(), CONFLICT_PATIENCE);
        return;
      }
      await this.#takeBack();
      const lost = error instanceof CampanaError && error.code === 'lost';
      if (!lost) this.#outlet.problem(error);
    }
  }

  /** An unanswered offer is taken back; the browser makes another if it is still wanted. */
  async #takeBack() {
    if (this.#closed || this.#pc.signalingState !== 'have-local-offer') return;
    await this.#pc.setLocalDescription({ type: 'rollback' }).catch(() => {}); // None left to take back.
  }

  /** Makes and sends the description that is due. */
  async #describe() {
    this.#trickle.hold();
    await this.#pc.setLocalDescription();
    if (this.#closed) return;
    const { type, sdp } = /** @type {RTCSessionDescription} */ (this.#pc.localDescription);
    const sent = this.#outlet.signal(element(type, {}, sdp));
    this.#trickle.release();
    await sent;
  }
}

const MAX_EARLY = 200;
/** In ms. */
const CONFLICT_PATIENCE = 3000;
