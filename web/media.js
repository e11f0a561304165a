// What this side sends: microphone, and camera or screen. One track of each kind; whatever is switched
// goes over the same section of the SDP wherever there is one, since few IM clients take a second picture.

import { CampanaError, mediaError, screenError } from './errors.js';
import { blackTrack } from './black.js';

/**
 * @typedef {{audio: boolean, video: boolean}} Media
 * @typedef {'audio' | 'video'} Kind
 *
 * @typedef {object} Choice which devices to use, by deviceId; the browser chooses where none is given
 * @property {string} [audio]
 * @property {string} [video]
 */

/**
 * Events: `change` whenever the stream holds other tracks, `lost` (detail: {@link Kind}) when a device
 * went away and no other took its place, `replaced` (detail: Kind) when one did, `shared` (detail:
 * boolean) when the screen is shared or no more.
 */
export class LocalMedia extends EventTarget {
  /** What the person may see of herself. */
  stream = new MediaStream();
  /** @type {Choice} */
  choice;

  /** @type {RTCPeerConnection | null} */
  #pc = null;
  /** Sent where the camera is off: the peer sees black instead of the last picture. @type {ReturnType<typeof blackTrack> | null} */
  #black = null;
  #sharing = false;
  /** What is sent as silence, or as black. */
  #still = { audio: false, video: false };
  /** Whether the camera returns after the screen. */
  #cameraAfter = false;
  #stopped = false;

  /** @param {Choice} [choice] */
  constructor(choice = {}) {
    super();
    this.choice = choice;
  }

  /** @param {Kind} kind */
  track(kind) {
    return this.stream.getTracks().find((track) => track.kind === kind) ?? null;
  }

  get camera() {
    return !this.#sharing && this.track('video') !== null;
  }

  get sharing() {
    return this.#sharing;
  }

  /**
   * Opens what is wanted. Without a camera a video call begins without our picture.
   * @param {Media} media
   * @returns {Promise<unknown>} why there is no picture, if one was wanted
   */
  async open({ audio, video }) {
    let problem;
    let stream;
    try {
      stream = await capture({ audio: audio && this.#wish('audio'), video: video && this.#wish('video') });
    } catch (error) {
      if (!audio || !video) throw error;
      stream = await capture({ audio: this.#wish('audio'), video: false });
      problem = error;
    }
    for (const track of stream.getTracks()) this.#take(track);
    if (this.#stopped) {
      this.stop();
      throw new CampanaError('wrong-state', 'the call has ended');
    }
    return problem;
  }

  /**
   * Sends the tracks over that connection from now on.
   * @param {RTCPeerConnection} pc
   * @param {Partial<Media>} media what is asked for by this side: a kind we cannot send is at least received.
   *   Who is called has its places from the offer
   */
  attach(pc, media) {
    this.#pc = pc;
    for (const kind of KINDS) {
      const track = this.track(kind);
      if (track) pc.addTrack(track, this.stream);
      else if (media[kind]) pc.addTransceiver(kind, { direction: 'recvonly' });
    }
  }

  /** Sends silence instead of sound, or sound again. @param {boolean} muted */
  mute(muted) {
    this.#still.audio = muted;
    this.#quiet();
  }

  /** Sends black instead of pictures, or pictures again. @param {boolean} frozen */
  freeze(frozen) {
    this.#still.video = frozen;
    this.#quiet();
  }

  /** Whatever device is opened later must hold to it, too. */
  #quiet() {
    for (const track of this.stream.getTracks()) track.enabled = !this.#still[/** @type {Kind} */ (track.kind)];
  }

  /** Turns the camera, and its light, on or off. @param {boolean} on */
  async setCamera(on) {
    if (this.#sharing) {
      this.#cameraAfter = on;
      return;
    }
    if (on === this.camera) return;
    if (!on) {
      await this.#blacken();
      return;
    }
    await this.#openCamera();
  }

  async #openCamera() {
    const [track] = (await capture({ audio: false, video: this.#wish('video') })).getVideoTracks();
    await this.#show(track);
  }

  /** Shows a screen, window or tab instead of the camera, or the camera again. @param {boolean} on */
  async share(on) {
    if (on === this.#sharing) return;
    if (!on) {
      await this.#endShare();
      return;
    }
    const cameraAfter = this.camera;
    const [track] = (await captureScreen()).getVideoTracks();
    track.contentHint = 'detail';
    this.#cameraAfter = cameraAfter;
    this.#sharing = true;
    // The browser has a button of its own to end it.
    track.addEventListener('ended', () => this.#endShare());
    await this.#show(track);
    this.#tell('shared', true);
  }

  /**
   * Uses another device from now on.
   * @param {Kind} kind
   * @param {string} [deviceId] any if none is given
   */
  async use(kind, deviceId) {
    this.choice = { ...this.choice, [kind]: deviceId };
    if (this.track(kind) && !(kind === 'video' && this.#sharing)) await this.#replace(kind);
  }

  /** Lets go of every device. */
  stop() {
    this.#stopped = true;
    for (const track of this.stream.getTracks()) this.#drop(track);
    this.#black?.stop();
  }

  async #endShare() {
    if (!this.#sharing) return;
    this.#sharing = false;
    // At once: a camera takes its time to open.
    await this.#blacken();
    try {
      if (this.#cameraAfter && !this.#stopped) await this.#openCamera();
    } catch {
      this.#tell('lost', 'video');
    }
    this.#tell('shared', false);
  }

  /** @param {Kind} kind */
  async #replace(kind) {
    const stream = await capture({
      audio: kind === 'audio' && this.#wish('audio'), video: kind === 'video' && this.#wish('video'),
    });
    const [track] = stream.getTracks();
    await this.#show(track);
  }

  /** Sends that track in the place of its kind. @param {MediaStreamTrack} track */
  async #show(track) {
    const kind = /** @type {Kind} */ (track.kind);
    const old = this.track(kind);
    if (old) this.#drop(old);
    this.#take(track);
    if (this.#stopped) {
      this.stop();
      return;
    }
    const transceiver = this.#transceiver(kind);
    if (transceiver) {
      await transceiver.sender.replaceTrack(track);
      transceiver.sender.setStreams?.(this.stream);
      if (transceiver.direction === 'recvonly') transceiver.direction = 'sendrecv';
      if (transceiver.direction === 'inactive') transceiver.direction = 'sendonly';
    } else {
      this.#pc?.addTrack(track, this.stream);
    }
    if (kind === 'video') this.#stopBlack();
  }

  async #blacken() {
    const old = this.track('video');
    const transceiver = this.#transceiver('video');
    if (transceiver && this.#pc?.connectionState !== 'closed') {
      this.#black ??= blackTrack();
      await transceiver.sender.replaceTrack(this.#black.track).catch(() => {}); // Closed meanwhile.
    }
    if (old) this.#drop(old);
    this.#tell('change');
  }

  #stopBlack() {
    this.#black?.stop();
    this.#black = null;
  }

  /** The place for that kind: the one that sends, or the first that may. @param {Kind} kind */
  #transceiver(kind) {
    const usable = (this.#pc?.getTransceivers() ?? []).filter((transceiver) => (
      transceiver.receiver.track.kind === kind && transceiver.currentDirection !== 'stopped'
    ));
    return usable.find(({ sender }) => sender.track) ?? usable[0];
  }

  /** @param {MediaStreamTrack} track */
  #take(track) {
    this.stream.addTrack(track);
    this.#quiet();
    track.addEventListener('ended', () => this.#gone(track));
    this.#tell('change');
  }

  /** @param {MediaStreamTrack} track */
  #drop(track) {
    this.stream.removeTrack(track);
    track.stop(); // Fires no event.
  }

  /** Unplugged, or taken away: another of its kind takes its place. @param {MediaStreamTrack} track */
  async #gone(track) {
    if (this.#stopped || !this.stream.getTracks().includes(track)) return;
    const kind = /** @type {Kind} */ (track.kind);
    if (kind === 'video' && this.#sharing) return; // The end of sharing is seen to elsewhere.
    try {
      this.choice = { ...this.choice, [kind]: undefined };
      await this.#replace(kind);
      this.#tell('replaced', kind);
    } catch {
      if (kind === 'video') await this.#blacken();
      else this.#drop(track);
      this.#tell('change');
      this.#tell('lost', kind);
    }
  }

  /**
   * A device that was plugged in takes the place of a microphone that went away.
   * @returns {Promise<boolean>} whether there is a microphone again
   */
  async regain() {
    if (this.#stopped || this.track('audio')) return false;
    try {
      const [track] = (await capture({ audio: this.#wish('audio'), video: false })).getAudioTracks();
      await this.#show(track);
      return true;
    } catch {
      return false;
    }
  }

  /** @param {Kind} kind @returns {MediaTrackConstraints} */
  #wish(kind) {
    const deviceId = this.choice[kind];
    // Not `exact`: a device that is no more is no reason for no call.
    const device = deviceId ? { deviceId: { ideal: deviceId } } : {};
    return kind === 'audio' ? device : { width: { ideal: 1280 }, height: { ideal: 720 }, ...device };
  }

  /** @param {string} type @param {unknown} [detail] */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** @param {MediaStreamConstraints} wanted */
async function capture(wanted) {
  if (!wanted.audio && !wanted.video) return new MediaStream();
  try {
    return await devices().getUserMedia(wanted);
  } catch (error) {
    throw error instanceof CampanaError ? error : mediaError(error);
  }
}

async function captureScreen() {
  try {
    return await devices().getDisplayMedia({ video: true, audio: false });
  } catch (error) {
    throw error instanceof CampanaError ? error : screenError(error);
  }
}

function devices() {
  if (navigator.mediaDevices) return navigator.mediaDevices;
  throw new CampanaError('media-insecure', 'browsers give microphone and camera to pages over HTTPS only');
}

/** @type {Kind[]} */
const KINDS = ['audio', 'video'];
