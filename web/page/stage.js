// A call in sight: pictures, who it is, how it goes, and the buttons.

import { choice } from './devices.js';
import { find, make, setIcon, setText, show } from './dom.js';
import { paint } from './portrait.js';
import { words } from './words.js';

/** @typedef {import('../call.js').Call} Call */

export class Stage {
  /** @type {Call | null} */
  #call = null;
  #name = () => '';
  /** @type {Map<string, HTMLVideoElement>} */
  #tiles = new Map();
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #clock;
  /** @type {{release: () => Promise<void>} | null} */
  #awake = null;

  /** @param {Call} call @param {() => string} name in the language of now */
  open(call, name) {
    this.#call = call;
    this.#name = name;
    this.#clock = setInterval(() => this.#phase(), 1000);
    for (const type of ['state', 'media', 'path']) call.addEventListener(type, () => this.render());
    this.useSpeaker();
    this.render();
    // A phone's screen stays on while pictures move.
    navigator.wakeLock?.request('screen').then((lock) => {
      if (this.#call) this.#awake = lock;
      else lock.release();
    }).catch(() => {});
  }

  close() {
    this.#call = null;
    clearInterval(this.#clock);
    this.#awake?.release().catch(() => {});
    this.#awake = null;
    for (const video of this.#tiles.values()) video.srcObject = null;
    this.#tiles.clear();
    find('tiles').replaceChildren();
    for (const id of ['local', 'remote-sound']) find(id).srcObject = null;
    show('local-tile', false);
  }

  /** Plays through the speaker that was chosen. */
  useSpeaker() {
    const sound = find('remote-sound');
    sound.setSinkId?.(choice.speaker ?? '').catch(() => {}); // Unplugged: the browser keeps the old one.
  }

  render() {
    const call = this.#call;
    if (!call || call.state === 'ended') return;
    setText(find('peer'), this.#name());
    paint(find('peer-portrait'), call.person, this.#name());
    const sound = find('remote-sound');
    if (sound.srcObject !== call.remoteStream) sound.srcObject = call.remoteStream;
    this.#renderTiles(call);
    const own = find('local');
    if (own.srcObject !== call.localStream) own.srcObject = call.localStream;
    show('local-tile', call.camera || call.sharing);
    find('local-tile').classList.toggle('sharing', call.sharing);
    setText(find('local-tile').querySelector('.badge'), words(call.sharing ? 'youShare' : 'you'));
    this.#renderControls(call);
    setText(find('notes'), this.#notes(call).join(' · '));
    this.#phase();
  }

  /** A tile for each picture that moves. @param {Call} call */
  #renderTiles(call) {
    const dark = call.held || call.remote.held || call.remote.muted.video;
    const moving = call.remoteStream.getVideoTracks().filter((track) => (
      track.readyState === 'live' && !track.muted && !dark
    ));
    for (const [id, video] of this.#tiles) {
      if (moving.some((track) => track.id === id)) continue;
      video.srcObject = null;
      video.remove();
      this.#tiles.delete(id);
    }
    for (const track of moving) {
      if (this.#tiles.has(track.id)) continue;
      const video = /** @type {HTMLVideoElement} */ (make('video', { autoplay: '', playsinline: '', 'aria-label': this.#name() }));
      video.muted = true; // The sound has a place of its own.
      video.srcObject = new MediaStream([track]);
      this.#tiles.set(track.id, video);
      find('tiles').append(video);
    }
    find('tiles').dataset.count = `${moving.length}`;
    find('call').classList.toggle('pictures', moving.length > 0);
  }

  /** @param {Call} call */
  #renderControls(call) {
    press('mute-audio', call.muted, call.muted ? 'unmute' : 'mute', call.muted ? 'mic-off' : 'mic');
    press('mute-video', !call.camera, call.camera ? 'cameraOff' : 'cameraOn', call.camera ? 'camera' : 'camera-off');
    press('share', call.sharing, call.sharing ? 'unshare' : 'share', 'screen');
    press('hold', call.held, call.held ? 'unhold' : 'hold', 'pause');
    const running = call.state === 'connected';
    for (const id of ['share', 'hold', 'mute-video', 'show-network']) find(id).disabled = !running;
    show('share', Boolean(navigator.mediaDevices?.getDisplayMedia));
  }

  /** @param {Call} call */
  #notes(call) {
    const name = this.#name();
    return [
      call.state === 'connected' && !call.flowing && words('pathLost'),
      call.held && words('youHold'),
      call.remote.held && words('theyHold', { name }),
      call.remote.muted.audio && words('theyMuted', { name }),
    ].filter((note) => typeof note === 'string');
  }

  #phase() {
    const call = this.#call;
    if (!call || call.state === 'ended') return;
    const seconds = call.since === null ? 0 : Math.floor((Date.now() - call.since) / 1000);
    const time = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
    const shown = (time[0] ? time : time.slice(1)).map((part) => `${part}`.padStart(2, '0')).join(':');
    setText(find('phase'), call.state === 'connected' ? shown : words(`phase.${call.state}`));
  }
}

/** @param {string} id @param {boolean} pressed @param {string} label @param {string} symbol */
function press(id, pressed, label, symbol) {
  const button = find(id);
  button.dataset.on = `${pressed}`; // The label says what pressing does: no aria-pressed beside it.
  setText(button.querySelector('span'), words(label));
  setIcon(button, symbol);
}
