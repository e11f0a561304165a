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
  /** An offer is being made: another beside it would be refused, and take the first back. */
  #making = false;
  /** How many descriptions were made. */
  #made = 0;
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
    if (this.#restart === 'offered') return undefined;
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
    if (!this.#settled || this.#making || this.#pc.signalingState !== 'stable' || this.#closed) return;
    clearTimeout(this.#timer);
    const rest = this.#earliest - performance.now();
    if (rest > 0) {
      this.#timer = setTimeout(() => this.#renegotiate(), rest);
      return;
    }
    this.#making = true;
    try {
      if (this.#restart) await this.lead();
      // Else the peer was faster.
      if (this.#pc.signalingState === 'stable') await this.#describe();
      this.#making = false;
    } catch (error) {
      this.#making = false;
      if (this.#closed) return;
      if (error instanceof StanzaError && error.condition === 'conflict') {
        // The peer's offer is under way; ours is made again after it. Should it not come:
        const made = this.#made;
        setTimeout(() => {
          if (made === this.#made) this.#makeAgain();
        }, CONFLICT_PATIENCE);
        return;
      }
      if (error instanceof CampanaError && error.code === 'lost') {
        await this.#makeAgain();
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

  /** An unanswered offer is taken back, and what is still wanted offered anew. */
  async #makeAgain() {
    if (this.#closed || this.#pc.signalingState !== 'have-local-offer') return;
    if (this.#restart) this.#restart = 'wanted';
    await this.#takeBack(); // The browser says itself whether it wants more than a restart.
    if (this.#restart) this.#renegotiate();
  }

  async #takeBack() {
    if (this.#closed || this.#pc.signalingState !== 'have-local-offer') return;
    await this.#pc.setLocalDescription({ type: 'rollback' }).catch(() => {}); // None left to take back.
  }

  /**
   * An offer was refused, and media shall go on: what the peer said then is taken for its answer. Where that
   * does not fit what was offered, ours is rolled back, and what the peer said taken for an offer, of which
   * the answer is told to nobody: after a mere rollback Firefox (153) hears nothing any more until something
   * is agreed on. What was refused remains wanted, a restart excepted.
   */
  async #agreeAgain() {
    const pc = this.#pc;
    const { currentLocalDescription: ours, currentRemoteDescription: theirs, pendingLocalDescription: offered } = pc;
    if (this.#closed || pc.signalingState !== 'have-local-offer' || !ours || !theirs || !offered) return;
    const steps = skeleton(offered.sdp) === skeleton(ours.sdp)
      ? [pc.setRemoteDescription({ type: 'answer', sdp: agreed(theirs.sdp, ours.sdp, setupOf(theirs, ours)) })]
      : [ // All at once: no other description comes between.
        pc.setLocalDescription({ type: 'rollback' }),
        pc.setRemoteDescription({ type: 'offer', sdp: agreed(theirs.sdp, ours.sdp, 'actpass') }),
        pc.setLocalDescription(),
      ];
    const failed = (await Promise.allSettled(steps)).find(({ status }) => status === 'rejected');
    if (failed) {
      this.#outlet.problem(/** @type {PromiseRejectedResult} */ (failed).reason);
      await this.#takeBack();
    }
    if (failed || steps.length === 1) this.#renegotiate(); // An answer contents the browser.
  }

  /**
   * Before a change that may be refused. From who has only given answers Chromium (156) takes back more than
   * the offer: what arrives is no longer seen or heard, whatever is agreed on later. So who answered last
   * offers the same once more, to nobody, and takes what the peer said for the answer. It comes before the
   * change: the offer would hold that, too.
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
    const sdp = agreed(theirs.sdp, ours.sdp, setupOf(theirs, ours));
    await Promise.all([
      pc.setLocalDescription(offer), pc.setRemoteDescription({ type: 'answer', sdp }),
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
    this.#making = false;
    this.#made += 1;
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

/**
 * What the peer said, as far as both agreed to it (RFC 3264 §6.1): no way of media and no header extension
 * more. An answer may not want more than was offered, a camera that was refused is none of what was, and
 * the numbers of extensions may have been given to others since.
 * @param {string} theirs
 * @param {string} ours
 * @param {string} setup of RFC 8842
 */
function agreed(theirs, ours, setup) {
  const own = ours.split(SECTION);
  return theirs.split(SECTION).map((section, at) => {
    const [they, we] = [section, own[at] ?? ''].map((part) => part.match(WAY)?.[0] ?? 'a=sendrecv');
    const sends = /send/.test(they) && /recv/.test(we);
    const receives = /recv/.test(they) && /send/.test(we);
    const way = sends ? `send${receives ? 'recv' : 'only'}` : receives ? 'recvonly' : 'inactive';
    const extensions = extensionsOf(own[at] ?? '');
    return section.replace(WAY, `a=${way}`).replace(/^a=setup:.*$/gm, `a=setup:${setup}`)
      .replace(EXTENSION, (line, number, name) => (extensions.includes(`${number} ${name}`) ? line : ''));
  }).join('');
}

/** @param {string} section */
const extensionsOf = (section) => [...section.matchAll(EXTENSION)].map(([, number, name]) => `${number} ${name}`);

/**
 * Which part in DTLS the peer has (RFC 8842): who answered last has said it.
 * @param {RTCSessionDescription} theirs
 * @param {RTCSessionDescription} ours
 */
function setupOf(theirs, ours) {
  const saidByThem = theirs.type === 'answer';
  return /^a=setup:active/m.test((saidByThem ? theirs : ours).sdp) === saidByThem ? 'active' : 'passive';
}

/** The sections of a description, and the ICE credentials. @param {string} sdp */
const skeleton = (sdp) => sdp.match(/^m=\S+ 0?|^a=(?:mid|ice-ufrag).*/gm)?.join('\n');

/** The sections of a description, which way media go, and the ICE credentials. @param {string} sdp */
const outline = (sdp) => sdp.match(/^m=\S+ 0?|^a=(?:mid|ice-ufrag|sendrecv|sendonly|recvonly|inactive).*/gm)?.join('\n');

const SECTION = /^(?=m=)/m;
const WAY = /^a=(?:sendrecv|sendonly|recvonly|inactive)/m;
/** RFC 8285 §5: number, perhaps a direction, name. */
const EXTENSION = /^a=extmap:(\d+)\S* (\S+).*\r?\n/gm;
const MAX_EARLY = 200;
/** In ms. */
const CONFLICT_PATIENCE = 3000;
const REFUSED_PATIENCE = 500;
const MAX_PATIENCE = 60_000;
