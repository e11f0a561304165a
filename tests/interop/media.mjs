// Media that can be recognised at the other end: a tone and a moving picture out, counters in.

import wrtc from '@roamhq/wrtc';

const { RTCAudioSink, RTCAudioSource, RTCVideoSink, RTCVideoSource } = wrtc.nonstandard;

/** An audio track that carries a sine of `frequency` Hz until `stop()`. */
export function toneTrack(frequency) {
  const source = new RTCAudioSource();
  const began = performance.now();
  let sent = 0;
  let phase = 0;
  const timer = setInterval(() => {
    // Timers drift under load; the clock says how many frames are due.
    const due = Math.floor((performance.now() - began) / FRAME_MS);
    for (let burst = 0; sent < due && burst < MAX_BURST; burst += 1, sent += 1) {
      const samples = new Int16Array(FRAME);
      for (let i = 0; i < FRAME; i += 1) {
        samples[i] = AMPLITUDE * Math.sin(phase);
        phase += (2 * Math.PI * frequency) / RATE;
      }
      source.onData({
        samples, sampleRate: RATE, bitsPerSample: 16, channelCount: 1, numberOfFrames: FRAME,
      });
    }
    sent = Math.max(sent, due - MAX_BURST);
  }, FRAME_MS);
  return stoppable(source.createTrack(), timer);
}

/** A video track of 320 × 240 at 15 frames a second until `stop()`: a bright bar that moves. */
export function movingTrack() {
  const source = new RTCVideoSource();
  const [width, height] = [320, 240];
  let frame = 0;
  const timer = setInterval(() => {
    const data = new Uint8ClampedArray(width * height * 1.5).fill(128);
    data.fill(40, 0, width * height);
    const bar = (frame * 4) % (height - 32);
    data.fill(220, bar * width, (bar + 32) * width);
    source.onFrame({ width, height, data });
    frame += 1;
  }, 1000 / 15);
  return stoppable(source.createTrack(), timer);
}

/** Counts what an audio track brings and measures tones in its last half second. */
export class AudioMeter {
  frames = 0;
  #samples = [];
  #rate = RATE;
  #sink;

  constructor(track) {
    this.#sink = new RTCAudioSink(track);
    this.#sink.ondata = ({ samples, sampleRate, channelCount }) => {
      this.frames += 1;
      this.#rate = sampleRate;
      for (let i = 0; i < samples.length; i += channelCount) this.#samples.push(samples[i]);
      this.#samples = this.#samples.slice(-sampleRate / 2);
    };
  }

  /** The share of the signal's energy at `frequency`, 0 to 1; 0 while there is no sound. */
  tone(frequency) {
    return toneShare(this.#samples, this.#rate, frequency);
  }

  stop() {
    this.#sink.stop();
  }
}

/** Counts the decoded frames of a video track. */
export class VideoMeter {
  frames = 0;
  width = 0;
  height = 0;
  #sink;

  constructor(track) {
    this.#sink = new RTCVideoSink(track);
    this.#sink.onframe = ({ frame }) => {
      this.frames += 1;
      ({ width: this.width, height: this.height } = frame);
    };
  }

  stop() {
    this.#sink.stop();
  }
}

/**
 * Goertzel's algorithm, as a share of the whole energy: 1 for a pure sine, about 0 for another
 * frequency, for noise and for near silence.
 */
export function toneShare(samples, rate, frequency) {
  let energy = 0;
  let [previous, beforeThat] = [0, 0];
  const coefficient = 2 * Math.cos((2 * Math.PI * frequency) / rate);
  for (const sample of samples) {
    energy += sample * sample;
    [previous, beforeThat] = [sample + coefficient * previous - beforeThat, previous];
  }
  if (samples.length === 0 || energy / samples.length < QUIET) return 0;
  const power = previous ** 2 + beforeThat ** 2 - coefficient * previous * beforeThat;
  return (2 * power) / (samples.length * energy);
}

function stoppable(track, timer) {
  return {
    track,
    stop() {
      clearInterval(timer);
      track.stop();
    },
  };
}

const RATE = 48_000;
const FRAME_MS = 10;
const FRAME = (RATE * FRAME_MS) / 1000;
const MAX_BURST = 20;
const AMPLITUDE = 8000;
// Mean square of 16 bit samples: 40 dB under the tone.
const QUIET = 3200;
