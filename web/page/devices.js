// Which microphone, camera and speaker: chosen before a call, when it rings, or in it.

import { find, make, show } from './dom.js';
import { words } from './words.js';

const STORE = 'campana.devices';
const KINDS = /** @type {const} */ ([
  ['audioinput', 'audio', 'microphoneLabel'], ['videoinput', 'video', 'cameraLabel'], ['audiooutput', 'speaker', 'speaker'],
]);

/** @typedef {{audio?: string, video?: string, speaker?: string}} Choice */

/** By deviceId; remembered by this browser. @type {Choice} */
export const choice = stored();

/** @type {(kind: 'audio' | 'video' | 'speaker') => void} */
let onChoice = () => {};
/** @type {MediaStream | null} */
let preview = null;
/** @type {number} */
let frame = 0;

/** @param {typeof onChoice} listener called after each choice */
export function whenChosen(listener) {
  onChoice = listener;
}

/** Fills `place` with a list of devices for each kind; a meter in it is the microphone's. @param {HTMLElement} place */
export async function pick(place) {
  const meter = place.querySelectorAll('meter');
  const known = await (navigator.mediaDevices?.enumerateDevices() ?? Promise.resolve([])).catch(() => []);
  const pickers = KINDS.flatMap(([type, kind, label]) => {
    const devices = known.filter((device) => device.kind === type && device.deviceId !== 'default' && device.deviceId !== 'communications');
    if (type === 'audiooutput' && (devices.length === 0 || !('setSinkId' in HTMLMediaElement.prototype))) return [];
    const id = `${place.id}-${kind}`;
    const select = /** @type {HTMLSelectElement} */ (make('select', { id }));
    select.append(make('option', { value: '' }, words('standard')));
    devices.forEach((device, n) => {
      const name = device.label || words('numbered', { kind: words(label), n: n + 1 });
      if (device.deviceId) select.append(make('option', { value: device.deviceId }, name));
    });
    select.value = choice[kind] ?? '';
    if (select.selectedIndex < 0) select.value = '';
    select.addEventListener('change', () => choose(kind, select.value));
    return [make('label', { for: id }, words(label)), select, ...(kind === 'audio' ? meter : [])];
  });
  place.replaceChildren(...pickers);
}

/** Fills anew the lists that there are: other devices, or other words. */
export function refill() {
  for (const id of ['pickers', 'incoming-pickers']) if (find(id).querySelector('select')) pick(find(id));
}

/** Opens the dialog; with a picture and a level while there is no call. @param {boolean} inCall */
export async function openDialog(inCall) {
  const dialog = find('devices');
  await pick(find('pickers'));
  dialog.showModal();
  find('pickers').querySelector('select')?.focus();
  if (!inCall) await startPreview();
}

/** @param {'audio' | 'video' | 'speaker'} kind @param {string} deviceId */
function choose(kind, deviceId) {
  choice[kind] = deviceId || undefined;
  try {
    localStorage.setItem(STORE, JSON.stringify(choice));
  } catch {
    // Not remembered, then.
  }
  if (preview) startPreview();
  onChoice(kind);
}

async function startPreview() {
  stopPreview();
  const wish = (/** @type {string | undefined} */ deviceId) => (deviceId ? { deviceId: { ideal: deviceId } } : true);
  const stream = await navigator.mediaDevices?.getUserMedia({ audio: wish(choice.audio), video: wish(choice.video) })
    .catch(() => navigator.mediaDevices.getUserMedia({ audio: wish(choice.audio) }))
    .catch(() => null);
  if (!stream) return;
  if (!find('devices').open) {
    for (const track of stream.getTracks()) track.stop();
    return;
  }
  preview = stream;
  find('preview').srcObject = stream;
  show('preview', stream.getVideoTracks().length > 0);
  await pick(find('pickers')); // Now they have names.
  measure(stream);
}

/** @param {MediaStream} stream */
function measure(stream) {
  if (stream.getAudioTracks().length === 0) return;
  const audio = new AudioContext();
  const analyser = new AnalyserNode(audio, { fftSize: 512 });
  audio.createMediaStreamSource(stream).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  show('level', true);
  const draw = () => {
    if (preview !== stream) {
      audio.close();
      return;
    }
    analyser.getFloatTimeDomainData(samples);
    find('level').value = Math.min(1, 4 * Math.sqrt(samples.reduce((sum, s) => sum + s * s, 0) / samples.length));
    frame = requestAnimationFrame(draw);
  };
  draw();
}

function stopPreview() {
  cancelAnimationFrame(frame);
  for (const track of preview?.getTracks() ?? []) track.stop();
  preview = null;
  find('preview').srcObject = null;
  for (const id of ['preview', 'level']) show(id, false);
}

/** @returns {Choice} */
function stored() {
  try {
    return JSON.parse(localStorage.getItem(STORE) ?? '{}') ?? {};
  } catch {
    return {};
  }
}

find('devices').addEventListener('close', stopPreview);
navigator.mediaDevices?.addEventListener?.('devicechange', refill);
