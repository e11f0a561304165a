// One call: an RTCPeerConnection on this side, `urn:x-campana:sdp:0` on the other.

import { NS, StanzaError, bare, child, element } from './stanza.js';

/**
 * Events: `state` on each change of {@link Call#state}, `media` when the remote stream changes,
 * `info` (detail: `active`, `hold`, `unhold`, `mute` or `unmute`) from the peer, `problem` (detail:
 * Error) for what went wrong without ending the call.
 */
export class Call extends EventTarget {
  /** @type {'new' | 'incoming' | 'calling' | 'ringing' | 'connecting' | 'connected' | 'ended'} */
  state = 'new';
  /** Why it ended: one of the reasons of XEP-0166. */
  reason = '';
  /** What was said about it. */
  text = '';
  /** What the caller wants to send. */
  media = { audio: true, video: false };
  /** @type {MediaStream | null} */
  localStream = null;
  remoteStream = new MediaStream();
  /** @type {RTCPeerConnection | null} */
  pc = null;

  #client;
  /** Remote events are handled one after the other. @type {Promise<unknown>} */
  #turn = Promise.resolve();
  /** Remote candidates that came before there was a description. @type {RTCIceCandidateInit[]} */
  #early = [];
  /** Local candidates and ends that wait for the next tick. @type {Element[]} */
  #late = [];
  /** The mids that have gathered candidates since the last description. @type {Set<string>} */
  #gathered = new Set();
  #described = false;
  #negotiated = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #tick;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #patience;

  /**
   * @param {import('./campana.js').Client} client
   * @param {{sid: string, peer: string, direction: 'in' | 'out'}} call
   */
  constructor(client, { sid, peer, direction }) {
    super();
    this.#client = client;
    this.sid = sid;
    /** Where this call's stanzas go. */
    this.peer = peer;
    /** The gateway address of the other person. */
    this.address = bare(peer);
    this.direction = direction;
  }

  /** Calls. @param {{audio: boolean, video: boolean}} media */
  async place(media) {
    this.media = media;
    try {
      const pc = await this.#prepare(media);
      await pc.setLocalDescription();
      this.#enter('calling', RING_PATIENCE);
      await this.#sendDescription(pc);
    } catch (error) {
      this.finish(error instanceof StanzaError ? 'general-error' : 'failed-application', wordsOf(error));
      throw error;
    }
  }

  /** Says that the person is being alerted. */
  ring() {
    this.#enter('incoming', RING_PATIENCE);
    this.#signal(element('ringing')).catch(() => {});
  }

  /** Picks up. @param {{audio: boolean, video: boolean}} [media] what to send; as proposed if not given */
  async accept(media = this.media) {
    if (this.state !== 'incoming') throw new Error(`the call is ${this.state}`);
    this.#enter('connecting', CONNECT_PATIENCE);
    try {
      await this.#prepare(media);
      await this.#signal(element('proceed'));
    } catch (error) {
      this.hangUp('failed-application', wordsOf(error));
      throw error;
    }
  }

  /** Refuses an incoming call. */
  decline() {
    return this.hangUp('decline');
  }

  /**
   * Ends the call, in whatever state it is. Resolves when the service knows.
   * @param {string} [reason] one of the reasons of XEP-0166; by default what the state suggests
   * @param {string} [text]
   */
  async hangUp(reason, text = '') {
    if (this.state === 'ended') return;
    const fitting = ENDINGS[/** @type {keyof typeof ENDINGS} */ (this.state)] ?? 'success';
    const known = this.state !== 'new';
    this.finish(reason ?? fitting, text);
    if (!known) return;
    const end = element('end', { reason: this.reason }, text);
    await this.#signal(end).catch((error) => this.#problem(error));
  }

  /**
   * Stops or resumes sending, and tells the peer.
   * @param {'audio' | 'video'} kind
   * @param {boolean} muted
   */
  async mute(kind, muted) {
    for (const transceiver of this.pc?.getTransceivers() ?? []) {
      const { track } = transceiver.sender;
      if (track?.kind !== kind) continue;
      track.enabled = !muted;
      const info = element(muted ? 'mute' : 'unmute', { mid: transceiver.mid });
      await this.#signal(element('info', {}, info)).catch((error) => this.#problem(error));
    }
  }

  /** Whether a stanza about this call from that address is to be believed. @param {string} from */
  isFrom(from) {
    return from === this.peer || (!this.peer.includes('/') && bare(from) === bare(this.peer));
  }

  /**
   * What the service sent.
   * @param {Element} session
   * @param {string} from
   */
  receive(session, from) {
    // The address that was called answers from the leg's own address: stay with that.
    this.peer = from;
    for (const event of session.children) {
      if (event.localName === 'end') {
        this.#receiveEnd(event);
        return;
      }
      this.#turn = this.#turn.then(() => this.#receiveEvent(event)).catch((error) => {
        this.hangUp('failed-application', wordsOf(error));
      });
    }
  }

  /** Ends this side, without a word to the other. @param {string} reason @param {string} text */
  finish(reason, text) {
    if (this.state === 'ended') return;
    this.reason = reason;
    this.text = text;
    clearTimeout(this.#tick);
    this.pc?.close();
    for (const track of this.localStream?.getTracks() ?? []) track.stop();
    this.#enter('ended');
  }

  /** @param {Element} event */
  async #receiveEvent(event) {
    if (this.state === 'ended') return;
    switch (event.localName) {
      case 'ringing':
        if (this.state === 'calling') this.#enter('ringing', RING_PATIENCE);
        break;
      case 'offer':
        await this.#receiveOffer(event.textContent ?? '');
        break;
      case 'answer':
        await this.#receiveAnswer(event.textContent ?? '');
        break;
      case 'candidate':
        await this.#receiveCandidate({
          candidate: event.textContent ?? '',
          sdpMid: event.getAttribute('mid'),
          sdpMLineIndex: index(event.getAttribute('index')),
          usernameFragment: event.getAttribute('ufrag'),
        });
        break;
      case 'end-of-candidates':
        await this.#receiveCandidate({
          candidate: '', sdpMid: event.getAttribute('mid'), usernameFragment: event.getAttribute('ufrag'),
        });
        break;
      case 'info':
        this.#tell('info', event.firstElementChild?.localName ?? '');
        break;
      default: // A word of a later version.
    }
  }

  /** @param {string} sdp */
  async #receiveOffer(sdp) {
    const { pc } = this;
    if (!pc) throw new Error('an offer before the call was accepted');
    // When both sides offer at once, this takes our own back (RFC 9429 §4.1.10.2); the service
    // decides whose offer comes through.
    await pc.setRemoteDescription({ type: 'offer', sdp });
    await this.#addEarlyCandidates();
    this.#described = false;
    await pc.setLocalDescription();
    await this.#sendDescription(pc);
    this.#negotiated = true;
  }

  /** @param {string} sdp */
  async #receiveAnswer(sdp) {
    const { pc } = this;
    if (pc?.signalingState !== 'have-local-offer') return; // Taken back meanwhile.
    if (!this.#negotiated) this.#enter('connecting', CONNECT_PATIENCE);
    await pc.setRemoteDescription({ type: 'answer', sdp });
    this.#negotiated = true;
    await this.#addEarlyCandidates();
  }

  /** @param {RTCIceCandidateInit} candidate */
  async #receiveCandidate(candidate) {
    if (!this.pc?.remoteDescription) {
      if (this.#early.length < MAX_EARLY) this.#early.push(candidate);
      return;
    }
    // One bad candidate is one path less.
    await this.pc.addIceCandidate(candidate).catch((error) => this.#problem(error));
  }

  async #addEarlyCandidates() {
    for (const candidate of this.#early.splice(0)) await this.#receiveCandidate(candidate);
  }

  /** @param {Element} end */
  #receiveEnd(end) {
    const elsewhere = child(end, 'answered-elsewhere');
    const text = elsewhere ? 'answered elsewhere' : end.textContent ?? '';
    this.finish(end.getAttribute('reason') ?? 'success', text);
  }

  /**
   * Captures what is sent and makes the connection.
   * @param {{audio: boolean, video: boolean}} media
   */
  async #prepare(media) {
    const [iceServers, stream] = await Promise.all([
      this.#client.iceServers().catch((error) => {
        this.#problem(error); // On one network a call works without.
        return [];
      }),
      navigator.mediaDevices.getUserMedia(media),
    ]);
    this.localStream = stream;
    if (this.state === 'ended') {
      for (const track of stream.getTracks()) track.stop();
      throw new Error('the call has ended');
    }
    const pc = new RTCPeerConnection({ iceServers, ...this.#client.rtcConfiguration });
    this.pc = pc;
    pc.onicecandidate = ({ candidate }) => this.#gather(candidate);
    pc.ontrack = ({ track }) => {
      this.remoteStream.addTrack(track);
      this.#tell('media');
    };
    pc.onconnectionstatechange = () => this.#connectionChanged(pc.connectionState);
    pc.onnegotiationneeded = () => this.#renegotiate(pc);
    for (const track of stream.getTracks()) pc.addTrack(track, stream);
    return pc;
  }

  /** @param {RTCPeerConnectionState} state */
  #connectionChanged(state) {
    if (state === 'connected') this.#enter('connected');
    if (state === 'failed') this.hangUp('connectivity-error', 'no path for media was found');
  }

  /** The app changed tracks in mid-call. @param {RTCPeerConnection} pc */
  async #renegotiate(pc) {
    if (!this.#negotiated || pc.signalingState !== 'stable' || this.state === 'ended') return;
    try {
      this.#described = false;
      await pc.setLocalDescription();
      await this.#sendDescription(pc);
    } catch (error) {
      // A conflict means that an offer of the peer's is under way; the browser asks again after it.
      if (error instanceof StanzaError && error.condition === 'conflict') return;
      await pc.setLocalDescription({ type: 'rollback' }).catch(() => {}); // None left to take back.
      this.#problem(error);
    }
  }

  /** @param {RTCPeerConnection} pc */
  #sendDescription(pc) {
    const { type, sdp } = /** @type {RTCSessionDescription} */ (pc.localDescription);
    const sent = this.#signal(element(type, {}, sdp));
    this.#described = true;
    this.#flushLater();
    return sent;
  }

  /** @param {RTCIceCandidate | null} candidate null when gathering is over */
  #gather(candidate) {
    if (candidate?.candidate) {
      const { sdpMid, sdpMLineIndex, usernameFragment } = candidate;
      this.#gathered.add(sdpMid ?? '0');
      this.#late.push(element('candidate', {
        mid: sdpMid, index: sdpMLineIndex, ufrag: usernameFragment,
      }, candidate.candidate));
    } else if (!candidate) {
      for (const mid of this.#gathered) this.#late.push(element('end-of-candidates', { mid }));
      this.#gathered.clear();
    }
    this.#flushLater();
  }

  /** Candidates come in bursts: one IQ takes what a tick brings, and never precedes its offer. */
  #flushLater() {
    if (this.#tick || !this.#described || this.#late.length === 0) return;
    this.#tick = setTimeout(() => {
      this.#tick = undefined;
      if (!this.#described || this.state === 'ended') return;
      this.#signal(...this.#late.splice(0)).catch((error) => this.#problem(error));
    }, TICK);
  }

  /** @param {Element[]} events */
  async #signal(...events) {
    const session = element('session', { xmlns: NS.session, sid: this.sid }, ...events);
    try {
      await this.#client.request(this.peer, 'set', session);
    } catch (error) {
      // The other end has forgotten the call: so do we.
      if (error instanceof StanzaError && error.condition === 'item-not-found') {
        this.finish('gone', error.message);
      }
      throw error;
    }
  }

  /**
   * @param {Call['state']} state
   * @param {number} [patience] how long it may last, in ms
   */
  #enter(state, patience) {
    if (this.state === 'ended') return;
    clearTimeout(this.#patience);
    if (patience) this.#patience = setTimeout(() => this.hangUp('timeout', `${state} for too long`), patience);
    this.state = state;
    this.#tell('state', state);
  }

  /** @param {unknown} error */
  #problem(error) {
    if (this.state !== 'ended') this.#tell('problem', error);
  }

  /** @param {string} type @param {unknown} [detail] */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** @param {string | null} text */
const index = (text) => (text === null ? null : Number(text));

/** @param {unknown} error */
const wordsOf = (error) => (error instanceof Error ? error.message : `${error}`);

const ENDINGS = { incoming: 'decline', calling: 'cancel', ringing: 'cancel' };
const TICK = 20;
const MAX_EARLY = 200;
// The service gives up first; these bound a call whose service went away.
const RING_PATIENCE = 180_000;
const CONNECT_PATIENCE = 45_000;
