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
  /** A restart of ICE is to be offered, or was. @type {'wanted' | 'offered' | null} */
  #restart = null;
  /** How many offers in a row were not taken. */
  #refused = 0;
  /** No offer goes out before. */
  #earliest = -Infinity;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

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

  /**
   * Starts ICE anew (RFC 8445 §2.4). The browser's own `restartIce()` holds until it succeeds: once refused,
   * it would spoil every other offer, too.
   */
  restart() {
    this.#restart = 'wanted';
    return this.#renegotiate();
  }

  /** @param {string} sdp */
  async receiveOffer(sdp) {
    const ufrag = ufragOf(this.#pc.currentLocalDescription);
    // Takes an offer of ours back, if there is one (RFC 9429 §4.1.10.2).
    await this.#pc.setRemoteDescription({ type: 'offer', sdp });
    if (this.#restart) this.#restart = 'wanted';
    await this.#addEarly();
    await this.#describe();
    this.#settled = true;
    if (ufrag !== ufragOf(this.#pc.currentLocalDescription)) this.#restart = null;
    if (this.#restart) this.#renegotiate();
  }

  /** @param {string} sdp */
  async receiveAnswer(sdp) {
    if (this.#pc.signalingState !== 'have-local-offer') return; // Taken back meanwhile.
    await this.#pc.setRemoteDescription({ type: 'answer', sdp });
    this.#settled = true;
    this.#refused = 0;
    if (this.#restart === 'offered') this.#restart = null;
    await this.#addEarly();
    if (this.#restart) this.#renegotiate();
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
    clearTimeout(this.#timer);
    this.#trickle.close();
  }

  async #addEarly() {
    for (const candidate of this.#early.splice(0)) await this.receiveCandidate(candidate);
  }

  /** Tracks were changed in mid-call, or another path is wanted. */
  async #renegotiate() {
    if (!this.#settled || this.#pc.signalingState !== 'stable' || this.#closed) return;
    clearTimeout(this.#timer);
    const rest = this.#earliest - performance.now();
    if (rest > 0) {
      this.#timer = setTimeout(() => this.#renegotiate(), rest);
      return;
    }
    try {
      await this.#describe();
    } catch (error) {
      if (this.#closed) return;
      if (error instanceof StanzaError && error.condition === 'conflict') {
        // The peer's offer is under way; the browser asks again after it. Should it not come:
        setTimeout(() => this.#takeBack(), CONFLICT_PATIENCE);
        return;
      }
      const lost = error instanceof CampanaError && error.code === 'lost';
      if (lost) {
        if (this.#restart) this.#restart = 'wanted';
        await this.#takeBack();
        if (this.#restart) this.#renegotiate();
        return;
      }
      this.#restart = null;
      this.#wait();
      await this.#agreeAgain();
      this.#outlet.problem(error);
    }
  }

  /** Browsers want what was not taken at once, and without end. */
  #wait() {
    this.#earliest = performance.now() + Math.min(REFUSED_PATIENCE * 2 ** this.#refused, MAX_PATIENCE);
    this.#refused += 1;
  }

  /** An unanswered offer is taken back; the browser makes another if it is still wanted. */
  async #takeBack() {
    if (this.#closed || this.#pc.signalingState !== 'have-local-offer') return;
    await this.#pc.setLocalDescription({ type: 'rollback' }).catch(() => {}); // None left to take back.
  }

  /**
   * An offer was refused, and media shall go on. After a mere rollback Firefox (153) hears nothing any more
   * until something is agreed on: so the peer's part of what was is taken for an offer, which rolls ours
   * back as well, and the answer is told to nobody.
   */
  async #agreeAgain() {
    const pc = this.#pc;
    if (this.#closed || pc.signalingState !== 'have-local-offer' || !pc.currentRemoteDescription) return;
    const offer = { type: /** @type {const} */ ('offer'), sdp: withSetup(pc.currentRemoteDescription.sdp, 'actpass') };
    // Both at once: no other description comes between.
    await Promise.all([pc.setRemoteDescription(offer), pc.setLocalDescription()])
      .catch((error) => this.#outlet.problem(error));
    await this.lead();
  }

  /**
   * Before an offer that may be refused. Who answered last offers the same once more, to nobody, and takes
   * the peer's part of what is agreed on for the answer: otherwise pictures stay frozen in Chromium (156)
   * when an offer of this side is taken back, by whatever way. Of who offered last they do not.
   */
  async lead() {
    const pc = this.#pc;
    const { currentLocalDescription: ours, currentRemoteDescription: theirs } = pc;
    const isDue = () => !this.#closed && pc.connectionState === 'connected' && pc.signalingState === 'stable'
      && ours?.type === 'answer' && pc.currentLocalDescription === ours;
    if (!isDue() || !ours || !theirs) return;
    const offer = await pc.createOffer().catch(() => null); // Closed meanwhile.
    // Else something is about to change, which is the peer's business, too.
    if (!offer || !isDue() || outline(offer.sdp ?? '') !== outline(ours.sdp) || /^m=\S+ 0 /m.test(theirs.sdp)) return;
    const setup = /^a=setup:active/m.test(ours.sdp) ? 'passive' : 'active';
    await Promise.all([
      pc.setLocalDescription(offer), pc.setRemoteDescription({ type: 'answer', sdp: withSetup(theirs.sdp, setup) }),
    ]).catch((error) => {
      this.#outlet.problem(error);
      return this.#takeBack();
    });
  }

  /** Makes and sends the description that is due. */
  async #describe() {
    this.#trickle.hold();
    if (this.#restart && this.#pc.signalingState === 'stable') {
      this.#restart = 'offered';
      await this.#pc.setLocalDescription(await this.#pc.createOffer({ iceRestart: true }));
    } else {
      await this.#pc.setLocalDescription();
    }
    if (this.#closed) return;
    const { type, sdp } = /** @type {RTCSessionDescription} */ (this.#pc.localDescription);
    const sent = this.#outlet.signal(element(type, {}, sdp));
    this.#trickle.release();
    await sent;
  }
}

/** Of our ICE credentials; each restart changes them. @param {RTCSessionDescription | null} description */
export function ufragOf(description) {
  return description?.sdp.match(/^a=ice-ufrag:(\S+)/m)?.[1] ?? '';
}

/** @param {string} sdp @param {'actpass' | 'active' | 'passive'} setup of RFC 8842 */
const withSetup = (sdp, setup) => sdp.replace(/^a=setup:.*$/gm, `a=setup:${setup}`);

/** The sections of a description, which way media go, and the ICE credentials. @param {string} sdp */
const outline = (sdp) => sdp.match(/^m=\S+ 0?|^a=(?:mid|ice-ufrag|sendrecv|sendonly|recvonly|inactive).*/gm)?.join('\n');

const MAX_EARLY = 200;
/** In ms. */
const CONFLICT_PATIENCE = 3000;
const REFUSED_PATIENCE = 500;
const MAX_PATIENCE = 60_000;
