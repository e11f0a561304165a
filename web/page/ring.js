// A bell for who is called, and the tone that tells a caller of it: made by the browser, no files.

/** @type {AudioContext | null} */
let audio = null;
/** @type {ReturnType<typeof setInterval> | undefined} */
let clock;

/** Browsers let a page sound once a person has used it. */
export function allowSound() {
  audio ??= new AudioContext();
  audio.resume().catch(() => {});
}

/** A bell, until {@link silence}. */
export function ring() {
  every(2400, () => {
    strike(0);
    strike(0.32);
  });
}

/** What a caller hears while it rings over there. */
export function ringBack() {
  every(4000, () => sound(425, 0, 1, 0.03, 'sine', 0.02));
}

export function silence() {
  clearInterval(clock);
  clock = undefined;
}

/** @param {number} ms @param {() => void} play */
function every(ms, play) {
  silence();
  allowSound();
  play();
  clock = setInterval(play, ms);
}

/** The partials of a bell: hum, prime, tierce, quint, nominal. @param {number} delay in s */
function strike(delay) {
  for (const [ratio, loud, long] of [[0.5, 0.06, 1.8], [1, 0.09, 1.4], [1.2, 0.05, 1], [1.5, 0.03, 0.8], [2, 0.05, 0.6]]) {
    sound(659 * ratio, delay, long, loud, 'sine', 0.004);
  }
}

/**
 * @param {number} frequency @param {number} delay in s @param {number} long in s
 * @param {number} loud @param {OscillatorType} type @param {number} attack in s
 */
function sound(frequency, delay, long, loud, type, attack) {
  if (!audio) return;
  const begin = audio.currentTime + delay;
  const tone = new OscillatorNode(audio, { frequency, type });
  const gain = new GainNode(audio, { gain: 0 });
  gain.gain.setValueAtTime(0, begin);
  gain.gain.linearRampToValueAtTime(loud, begin + attack);
  gain.gain.exponentialRampToValueAtTime(0.0001, begin + long);
  tone.connect(gain).connect(audio.destination);
  tone.start(begin);
  tone.stop(begin + long);
}
