// One call: an RTCPeerConnection on this side, `urn:x-campana:sdp:0` on the other.

import { CampanaError, StanzaError, wordsOf } from './errors.js';
import { LocalMedia } from './media.js';
import { Negotiation } from './negotiation.js';
import { report, wayOf } from './network.js';
import { Path } from './path.js';
import { NS, bare, child, element, personOf } from './stanza.js';

/**
 * @typedef {import('./media.js').Media} Media
 * @typedef {import('./media.js').Kind} Kind
 */

/**
 * Events
 * - `state` on each change of {@link Call#state};
 * - `media` when what is sent or received changed: tracks, mute, hold, camera, screen;
 * - `info` (detail: `{name, kind}`) from the peer: `active`, `hold`, `unhold`, `mute` or `unmute`, and
 *   of which kind where it says;
 * - `path` (detail: boolean) when media stops flowing, and when it flows again;
 * - `device` (detail: `{kind, lost}`) when a device went away, and another took its place or none did;
 * - `problem` (detail: Error) for what went wrong without ending the call.
 */
export class Call extends EventTarget {
  /** @type {'new' | 'incoming' | 'calling' | 'ringing' | 'connecting' | 'connected' | 'ended'} */
  state = 'new';
  /** Why it ended: one of the reasons of XEP-0166 §7.4. */
  reason = '';
  /** What was said about it. */
  text = '';
  /** What the caller wants to send. @type {Media} */
  media = { audio: true, video: false };
  remoteStream = new MediaStream();
  /** @type {RTCPeerConnection | null} */
  pc = null;
  /** When media first flowed, as of Date.now(). @type {number | null} */
  since = null;
  /** Whether this side sends silence. */
  muted = false;
  /** Whether this side put the call on hold. */
  held = false;
  /** Whether media flows. */
  flowing = false;
  /** What the peer told of itself. */
  remote = { held: false, muted: { audio: false, video: false } };

  #client;
  #local;
  /** @type {Negotiation | null} */
  #negotiation = null;
  /** @type {Path | null} */
  #path = null;
  /** Remote events are handled one after the other. @type {Promise<unknown>} */
  #turn = Promise.resolve();
  #accepting = false;
  /** When the ICE servers are asked for anew, as of Date.now(). */
  #renewAt = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #patience;
  /** @type {import('./network.js').Sample | null} */
  #sample = null;
  #stop = new AbortController();

  /**
   * @param {import('./campana.js').Client} client
   * @param {{sid: string, peer: string, direction: 'in' | 'out', carried: boolean}} call `carried`: this
   *   device carries it, at the person's own address
   */
  constructor(client, { sid, peer, direction, carried }) {
    super();
    this.#client = client;
    this.sid = sid;
    /** The other end, to which this call's stanzas go. */
    this.peer = peer;
    /** The address of the other person, as the service knows it. */
    this.address = bare(peer);
    this.direction = direction;
    this.carried = carried;
    this.#local = new LocalMedia(client.devices);
    this.#local.addEventListener('change', () => this.#tell('media'));
    this.#local.addEventListener('shared', () => this.#tell('media'));
    for (const type of ['lost', 'replaced']) {
      this.#local.addEventListener(type, (event) => {
        const { detail: kind } = /** @type {CustomEvent} */ (event);
        this.#tell('device', { kind, lost: type === 'lost' });
      });
    }
    navigator.mediaDevices?.addEventListener?.('devicechange', async () => {
      if (!this.pc || this.state === 'ended') return;
      if (await this.#local.regain()) this.#tell('device', { kind: 'audio', lost: false });
    }, { signal: this.#stop.signal });
  }

  /** The other person's own address. */
  get person() {
    return personOf(this.address);
  }

  /** What this side sends, for the person to see. */
  get localStream() {
    return this.#local.stream;
  }

  /** Whether the camera is on. */
  get camera() {
    return this.#local.camera;
  }

  /** Whether a screen is shown instead. */
  get sharing() {
    return this.#local.sharing;
  }

  /** Calls. @param {Media} media */
  async place(media) {
    this.media = media;
    try {
      await this.#open(media);
      this.#enter('calling', RING_PATIENCE);
      await this.#negotiation?.offer();
    } catch (error) {
      const cause = error instanceof StanzaError ? 'general-error' : 'failed-application';
      this.finish(cause, wordsOf(error));
      throw error;
    }
  }

  /** Says that the person is being alerted. */
  ring() {
    this.#enter('incoming', RING_PATIENCE);
    this.#signal(element('ringing')).catch(() => {});
  }

  /**
   * Picks up. When no microphone is to be had it rejects and the call goes on ringing.
   * @param {Media} [media] what to send; as proposed if not given
   */
  async accept(media = this.media) {
    if (this.state !== 'incoming' || this.#accepting) {
      throw new CampanaError('wrong-state', `the call is ${this.state}`);
    }
    this.#accepting = true;
    try {
      await this.#open(media);
    } finally {
      this.#accepting = false;
    }
    this.#enter('connecting', CONNECT_PATIENCE);
    try {
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
   * @param {string} [text] about it; by default the way that media took, which operators see
   */
  async hangUp(reason, text = this.#path?.stats ? wayOf(this.#path.stats) : '') {
    if (this.state === 'ended') return;
    const fitting = ENDINGS[/** @type {keyof typeof ENDINGS} */ (this.state)] ?? 'success';
    const known = this.state !== 'new';
    this.finish(reason ?? fitting, text);
    if (!known) return;
    const end = element('end', { reason: this.reason }, text);
    await this.#signal(end).catch((error) => this.#problem(error));
  }

  /** Sends silence, or sound again, and tells the peer. @param {boolean} muted */
  async mute(muted) {
    this.muted = muted;
    this.#local.mute(muted || this.held);
    this.#tell('media');
    await this.#inform('audio', muted);
  }

  /** Turns the camera on or off. @param {boolean} on */
  async setCamera(on) {
    if (on) await this.#negotiation?.lead();
    await this.#local.setCamera(on);
    this.#tell('media');
    await this.#inform('video', !on && !this.sharing);
  }

  /** Shows a screen instead of the camera, or no more; the browser asks which. @param {boolean} on */
  async share(on) {
    if (on) await this.#negotiation?.lead();
    await this.#local.share(on);
    this.#tell('media');
    await this.#inform('video', !this.camera && !this.sharing);
  }

  /** Neither sends nor plays anything for a while, or does again. @param {boolean} held */
  async hold(held) {
    if (held === this.held) return;
    this.held = held;
    this.#local.mute(held || this.muted);
    this.#local.freeze(held);
    for (const track of this.remoteStream.getTracks()) track.enabled = !held;
    this.#tell('media');
    await this.#tellPeer(element(held ? 'hold' : 'unhold'));
  }

  /**
   * Uses another device from now on.
   * @param {Kind} kind
   * @param {string} [deviceId] any if none is given
   */
  useDevice(kind, deviceId) {
    return this.#local.use(kind, deviceId);
  }

  /** Looks for another path; done by itself where the old one breaks. */
  async restartIce() {
    await this.#renewServers();
    await this.#negotiation?.restart();
  }

  /**
   * The path, codecs, bitrates and losses of now.
   * @returns {Promise<import('./network.js').Report | null>} null before there is a connection
   */
  async network() {
    if (!this.pc) return null;
    const { report: now, sample } = report(await this.pc.getStats(), this.#sample);
    this.#sample = sample;
    return now;
  }

  /** Whether a stanza about this call from that address is to be believed. @param {string} from */
  isFrom(from) {
    const either = !this.peer.includes('/') || !from.includes('/');
    return from === this.peer || (either && bare(from) === bare(this.peer));
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
        // An offer of another time may be wrong; one that changes a running call is no reason to end it.
        if (this.#negotiation?.settled) this.#problem(error);
        else this.hangUp('failed-application', wordsOf(error));
      });
    }
  }

  /** Ends this side, without a word to the other. @param {string} reason @param {string} text */
  finish(reason, text) {
    if (this.state === 'ended') return;
    this.reason = reason;
    this.text = text;
    this.flowing = false;
    this.#stop.abort();
    this.#negotiation?.close();
    this.#path?.close();
    this.pc?.close();
    this.#local.stop();
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
        if (!this.#negotiation) throw new Error('an offer before the call was accepted');
        await this.#negotiation.receiveOffer(event.textContent ?? '');
        break;
      case 'answer':
        if (!this.#negotiation?.settled) this.#enter('connecting', CONNECT_PATIENCE);
        await this.#negotiation?.receiveAnswer(event.textContent ?? '');
        break;
      case 'candidate':
        await this.#negotiation?.receiveCandidate({
          candidate: event.textContent ?? '',
          sdpMid: event.getAttribute('mid'),
          sdpMLineIndex: index(event.getAttribute('index')),
          usernameFragment: event.getAttribute('ufrag'),
        });
        break;
      case 'end-of-candidates':
        await this.#negotiation?.receiveCandidate({
          candidate: '', sdpMid: event.getAttribute('mid'), usernameFragment: event.getAttribute('ufrag'),
        });
        break;
      case 'info':
        if (event.firstElementChild) this.#receiveInfo(event.firstElementChild);
        break;
      default: // A word of a later version.
    }
  }

  /** @param {Element} info */
  #receiveInfo(info) {
    const name = info.localName;
    /** @type {Kind | undefined} */
    let kind;
    if (name === 'hold' || name === 'unhold') this.remote.held = name === 'hold';
    if (name === 'active') this.remote.held = false;
    if (name === 'mute' || name === 'unmute') {
      const mid = info.getAttribute('mid');
      const about = this.pc?.getTransceivers().find((transceiver) => transceiver.mid === mid);
      kind = /** @type {Kind | undefined} */ (about?.receiver.track.kind);
      const { muted } = this.remote;
      if (kind !== 'video') muted.audio = name === 'mute';
      if (kind === 'video' || !mid) muted.video = name === 'mute';
    }
    this.#tell('media');
    this.#tell('info', { name, kind });
  }

  /** @param {Element} end */
  #receiveEnd(end) {
    const elsewhere = child(end, 'answered-elsewhere');
    const text = elsewhere ? 'answered elsewhere' : end.textContent ?? '';
    this.finish(end.getAttribute('reason') ?? 'success', text);
  }

  /** Opens the devices and makes the connection. @param {Media} media */
  async #open(media) {
    const [iceServers, noPicture] = await Promise.all([
      this.#client.iceServers().catch((error) => {
        this.#problem(error); // On one network a call works without.
        return [];
      }),
      this.#local.open(media),
    ]);
    if (this.state === 'ended') throw new CampanaError('wrong-state', 'the call has ended');
    if (noPicture) this.#problem(noPicture);
    const pc = new RTCPeerConnection({ iceServers, ...this.#client.rtcConfiguration });
    this.pc = pc;
    pc.addEventListener('track', ({ track }) => {
      track.enabled = !this.held;
      this.remoteStream.addTrack(track);
      for (const type of ['mute', 'unmute', 'ended']) track.addEventListener(type, () => this.#tell('media'));
      this.#tell('media');
    });
    this.#negotiation = new Negotiation(pc, {
      signal: (...events) => this.#signal(...events),
      problem: (error) => this.#problem(error),
    });
    this.#path = new Path(pc, this.direction === 'out', {
      prepare: () => this.#renewServers().catch((error) => this.#problem(error)),
      restart: () => this.#negotiation?.restart(),
      change: (up) => this.#flow(up),
      lost: async () => this.hangUp('connectivity-error', wayOf(await pc.getStats())),
    });
    this.#renewAt = halfLife(iceServers);
    this.#local.attach(pc, this.direction === 'out' ? media : {});
  }

  /**
   * Before ICE gathers anew; comes back once the service is in reach. Of other servers, be it only by their
   * passwords, browsers want a restart until it succeeds: those that are still good stay.
   */
  async #renewServers() {
    const { pc } = this;
    if (!pc) return;
    const iceServers = await this.#client.iceServers().catch(() => null); // The old ones may still do.
    if (!iceServers || Date.now() < this.#renewAt) return;
    await this.#negotiation?.lead();
    if (/** @type {string} */ (pc.signalingState) === 'closed') return;
    pc.setConfiguration({ ...pc.getConfiguration(), iceServers });
    this.#renewAt = halfLife(iceServers);
  }

  /** @param {boolean} up */
  #flow(up) {
    if (up) {
      this.since ??= Date.now();
      this.#enter('connected');
    }
    if (this.flowing === up) return;
    this.flowing = up;
    if (!up) this.#client.check();
    this.#tell('path', up);
  }

  /** @param {Kind} kind @param {boolean} muted */
  async #inform(kind, muted) {
    const about = this.pc?.getTransceivers().filter(({ mid, receiver }) => mid !== null && receiver.track.kind === kind);
    const mid = (about?.find(({ sender }) => sender.track) ?? about?.[0])?.mid;
    if (mid) await this.#tellPeer(element(muted ? 'mute' : 'unmute', { mid }));
  }

  /** @param {Element} info */
  async #tellPeer(info) {
    if (this.state !== 'connected' && this.state !== 'connecting') return;
    await this.#signal(element('info', {}, info)).catch((error) => this.#problem(error));
  }

  /** @param {Element[]} events */
  async #signal(...events) {
    // What is carried goes to the service, which is told whom it is about.
    const [to, peer] = this.carried ? [this.#client.service, this.peer] : [this.peer, undefined];
    const session = element('session', { xmlns: NS.session, sid: this.sid, peer }, ...events);
    const again = () => /** @type {Element} */ (session.cloneNode(true));
    try {
      await this.#client.request(to, 'set', again()).catch((error) => {
        // Nobody knows whether it arrived; twice does no harm, but an offer is made anew.
        const repeat = error instanceof CampanaError && error.code === 'lost' && !child(session, 'offer');
        if (!repeat) throw error;
        return this.#client.request(to, 'set', again());
      });
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
    if (this.state === state) return;
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

/** When half of the time is over that servers are good for. @param {import('./ice.js').IceServer[]} servers */
function halfLife(servers) {
  const ends = servers.map(({ expires = Infinity }) => expires);
  return ends.length > 0 ? (Date.now() + Math.min(...ends)) / 2 : 0;
}

/** @param {string | null} text */
const index = (text) => (text === null ? null : Number(text));

const ENDINGS = { incoming: 'decline', calling: 'cancel', ringing: 'cancel' };
// The service gives up first; these bound a call whose service went away.
const RING_PATIENCE = 180_000;
const CONNECT_PATIENCE = 45_000;
