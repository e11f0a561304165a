// Chromium with the real page: a person at the keyboard, played by the test.

import { X509Certificate, createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { chromium } from 'playwright-core';

import { ownAddress, until } from './process.mjs';

/** The keys (SPKI, SHA-256) that {@link trust} was told of. @type {string[]} */
export const trusted = [];

/**
 * Browsers that are started from now on take this certificate for TURN over TLS, whoever signed it:
 * `--ignore-certificate-errors` is for pages only.
 * @param {string} pem
 */
export function trust(pem) {
  const key = new X509Certificate(pem).publicKey.export({ type: 'spki', format: 'der' });
  trusted.push(createHash('sha256').update(key).digest('base64'));
}

/**
 * Starts Debian's Chromium without a window and without a word to the outside.
 * @param {{network?: object}} [options] `network` of `elsewhere.mjs`: where it runs, if not here
 */
export async function launchBrowser({ network } = {}) {
  const profile = mkdtempSync(path.join(tmpdir(), 'campana-chromium-'));
  const args = [
    '--no-sandbox', '--disable-gpu', '--use-fake-device-for-media-stream',
    '--use-fake-ui-for-media-stream', '--autoplay-policy=no-user-gesture-required',
    '--disable-background-networking', '--disable-component-update', '--disable-sync',
    '--no-first-run',
  ];
  if (trusted.length) args.push(`--ignore-certificate-errors-spki-list=${trusted}`);
  if (ownAddress() === '127.0.0.1') args.push('--allow-loopback-in-peer-connection');
  const executable = process.env.CHROMIUM ?? '/usr/bin/chromium';
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: network?.program(executable) ?? executable, headless: true, args,
    timeout: 60_000, handleSIGINT: false,
  });
  return {
    context,
    /**
     * Opens the page and logs in.
     * @param {{url: string, jid?: string, password?: string, tone?: number, carry?: boolean}} who a
     *   guest without jid; `carry`: at her own address
     */
    device: (who) => openDevice(context, who),
    async close() {
      await context.close();
      rmSync(profile, { recursive: true, force: true });
    },
  };
}

/** Opens the page in a browser, its microphone a tone, and logs in. */
export async function openDevice(context, { url, jid, password = '', tone = 440, carry = false, link = '' }) {
  const page = await context.newPage();
  const device = new WebDevice(page);
  await page.addInitScript(instrument, tone);
  await page.goto(`${url}${carry ? '' : '?carry=no'}${link}`);
  if (jid) await device.logIn(jid, password);
  return device;
}

/** One tab. */
class WebDevice {
  /** What the page wrote to its console. @type {string[]} */
  console = [];

  constructor(page) {
    this.page = page;
    page.on('console', (message) => this.console.push(`${message.type()}: ${message.text()}`));
    page.on('pageerror', (error) => this.console.push(`uncaught: ${error}`));
  }

  async logIn(jid, password) {
    await this.page.fill('#jid', jid);
    await this.page.fill('#password', password);
    await this.page.click('#login button[type=submit]');
    await this.says(/Ready/, 20_000);
  }

  /** Waits until the status line fits. */
  async says(pattern, patience = 10_000) {
    let seen = '';
    await until(`the page says ${pattern}`, async () => {
      seen = await this.page.textContent('#status');
      return pattern.test(seen);
    }, { within: patience }).catch((error) => {
      throw new Error(`${error.message}; it says "${seen}"\n${this.console.slice(-6).join('\n')}`);
    });
    return seen;
  }

  /** Waits until there is such an element that is seen and whose text fits; gives the text. */
  async shows(selector, pattern = /^/, patience = 10_000) {
    let seen = null;
    await until(`${selector} shows ${pattern}`, async () => {
      seen = await this.page.evaluate((wanted) => {
        const found = [...document.querySelectorAll(wanted)].find((element) => element.checkVisibility({ visibilityProperty: true }));
        return found ? [found.textContent, found.getAttribute('aria-label')].filter(Boolean).join(' ').trim() : null;
      }, selector);
      return seen !== null && pattern.test(seen);
    }, { within: patience }).catch(async (error) => {
      // What operators see has none.
      const status = await this.page.evaluate(() => document.getElementById('status')?.textContent);
      throw new Error(`${error.message}; it shows ${JSON.stringify(seen)}, the page says "${status}"\n${this.console.slice(-6).join('\n')}`);
    });
    return seen;
  }

  /** Waits until no such element is seen. */
  async hides(selector, patience = 10_000) {
    await until(`${selector} is not seen`, async () => !await this.page.evaluate((wanted) => (
      [...document.querySelectorAll(wanted)].some((element) => element.checkVisibility({ visibilityProperty: true }))
    ), selector), { within: patience });
  }

  /** Waits until the first such video is seen and moves: a picture that is no longer the same. */
  async moves(selector, patience = 15_000) {
    const seen = new Set();
    await until(`${selector} moves`, async () => {
      const picture = await this.picture(selector);
      if (picture && !picture.dark) seen.add(picture.look);
      return seen.size >= 4;
    }, { within: patience }).catch((error) => {
      throw new Error(`${error.message}; seen: ${seen.size}\n${this.console.slice(-6).join('\n')}`);
    });
  }

  /** What the first such video shows now, made small; null where none is seen. */
  picture(selector) {
    return this.page.evaluate((wanted) => {
      const video = [...document.querySelectorAll(wanted)].find((element) => element.checkVisibility({ visibilityProperty: true }));
      if (!video?.videoWidth) return null;
      const canvas = new OffscreenCanvas(32, 18);
      const context = canvas.getContext('2d');
      context.drawImage(video, 0, 0, 32, 18);
      const { data } = context.getImageData(0, 0, 32, 18);
      const [red, green, blue] = [0, 1, 2].map((at) => {
        const values = data.filter((_, n) => n % 4 === at);
        return values.reduce((sum, value) => sum + value, 0) / values.length;
      });
      return { look: data.join(), red, green, blue, dark: red + green + blue < 24 };
    }, selector);
  }

  /** Presses a button, found as a person finds it. */
  press(selector) {
    return this.page.click(selector);
  }

  /** Whether packets of that kind go on arriving, and how many did in `ms`. */
  async packetsWithin(ms, kind = 'audio') {
    const count = async () => {
      const { audioPackets, videoFrames } = await this.media();
      return kind === 'audio' ? audioPackets : videoFrames;
    };
    const before = await count();
    await new Promise((resolve) => setTimeout(resolve, ms));
    return await count() - before;
  }

  /** The full address of this tab. */
  jid() {
    return this.page.evaluate(() => globalThis.campana.client.jid);
  }

  /** Types an address and presses the button. */
  async dial(address, { video = false } = {}) {
    await this.page.fill('#address', address);
    await this.page.click(`#dial button[value=${video ? 'video' : 'audio'}]`);
  }

  async accept(patience = 10_000) {
    await this.page.click('#accept', { timeout: patience });
  }

  async decline(patience = 10_000) {
    await this.page.click('#decline', { timeout: patience });
  }

  async hangUp(patience = 5000) {
    await this.page.click('#hang-up', { timeout: patience });
  }

  /** Whether somebody calls. */
  rings() {
    return this.page.isVisible('#incoming');
  }

  /** `{state, reason, text}` of the call there is, or of the last one. */
  call() {
    return this.page.evaluate(() => {
      const { state, reason, text, sid, peer } = globalThis.campana.call ?? globalThis.lastCall ?? {};
      return { state, reason, text, sid, peer };
    });
  }

  connected(patience = 15_000) {
    return this.says(/^In a call/, patience);
  }

  /**
   * Looks for another path, which the other side refuses; gives how.
   * @param {{network?: boolean}} [options] `network`: as the page does by itself in another network
   */
  refusedRestart({ network = false } = {}) {
    return this.page.evaluate((itself) => new Promise((resolve) => {
      const { call } = globalThis.campana;
      call.addEventListener('problem', ({ detail }) => resolve(`${detail.code} ${detail.condition}`));
      if (itself) globalThis.dispatchEvent(new Event('online'));
      else call.restartIce();
    }), network);
  }

  /** The person lets the page have no camera. */
  withoutCamera() {
    return this.page.evaluate(() => {
      const { mediaDevices: devices } = navigator;
      const capture = devices.getUserMedia.bind(devices);
      devices.getUserMedia = async (wanted) => {
        if (wanted.video) throw new DOMException('Permission denied', 'NotAllowedError');
        return capture(wanted);
      };
    });
  }

  /** Only TURN from now on, and of the servers only those whose URL fits. */
  relayOnly(pattern = /./) {
    return this.page.evaluate(async (source) => {
      const { client } = globalThis.campana;
      const fits = new RegExp(source);
      const iceServers = (await client.iceServers()).filter(({ urls }) => fits.test(urls));
      client.rtcConfiguration = { iceTransportPolicy: 'relay', iceServers };
    }, pattern.source);
  }

  /** Whatever path there is, again. */
  anyPath() {
    return this.page.evaluate(() => {
      globalThis.campana.client.rtcConfiguration = {};
    });
  }

  /** Sends a picture that can be decoded alone: a peer that missed the first may not ask for one. */
  sendKeyFrame() {
    return this.page.evaluate(async () => {
      const sender = globalThis.campana.call?.pc?.getSenders().find(({ track }) => track?.kind === 'video');
      if (!sender) return;
      // Another size begins with one.
      const parameters = sender.getParameters();
      for (const encoding of parameters.encodings) {
        encoding.scaleResolutionDownBy = encoding.scaleResolutionDownBy === 2 ? 1 : 2;
      }
      await sender.setParameters(parameters);
    });
  }

  /** The share of the received sound's energy near `frequency`. */
  tone(frequency) {
    return this.page.evaluate((hz) => globalThis.measureTone(hz), frequency);
  }

  /** What has arrived, and over which pair of candidates. */
  async media() {
    return this.page.evaluate(async () => {
      const { pc } = globalThis.campana.call;
      const stats = [...(await pc.getStats()).values()];
      const inbound = (kind) => stats.find((s) => s.type === 'inbound-rtp' && s.kind === kind);
      const transport = stats.find((s) => s.type === 'transport' && s.selectedCandidatePairId);
      // Firefox marks the pair itself.
      const pair = stats.find((s) => s.id === transport?.selectedCandidatePairId)
        ?? stats.find((s) => s.type === 'candidate-pair' && s.selected);
      const local = stats.find((s) => s.id === pair?.localCandidateId);
      const remote = stats.find((s) => s.id === pair?.remoteCandidateId);
      return {
        audioPackets: inbound('audio')?.packetsReceived ?? 0,
        audioSamples: inbound('audio')?.totalSamplesReceived ?? 0,
        videoFrames: inbound('video')?.framesDecoded ?? 0,
        local: local && { type: local.candidateType, address: local.address, port: local.port, url: local.url },
        remote: remote && { type: remote.candidateType, address: remote.address, port: remote.port },
      };
    });
  }

  /** Closes the tab as a person does: the page may say good-bye. */
  async leave() {
    const closed = new Promise((resolve) => this.page.once('close', resolve));
    await this.page.close({ runBeforeUnload: true });
    await closed;
  }

  close() {
    return this.page.close();
  }
}

/**
 * Runs in the page before its own scripts: the microphone becomes a known tone, the sound that
 * arrives can be measured, and the call that ended stays in reach.
 */
function instrument(hz) {
  const capture = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (constraints) => {
    const stream = await capture(constraints);
    for (const track of stream.getAudioTracks()) {
      stream.removeTrack(track);
      track.stop();
      const audio = new AudioContext();
      const oscillator = new OscillatorNode(audio, { frequency: hz });
      const out = audio.createMediaStreamDestination();
      oscillator.connect(out);
      oscillator.start();
      stream.addTrack(out.stream.getAudioTracks()[0]);
    }
    return stream;
  };

  // A screen that can be recognised: blue, with a white square that moves.
  const display = navigator.mediaDevices.getDisplayMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getDisplayMedia = async (constraints) => {
    // Without a window Firefox has none to show.
    const asked = navigator.userAgent.includes('Firefox') ? new MediaStream() : await display(constraints);
    for (const track of asked.getTracks()) track.stop();
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [1024, 768];
    const context = canvas.getContext('2d');
    let x = 0;
    const clock = setInterval(() => {
      context.fillStyle = '#1030d0';
      context.fillRect(0, 0, 1024, 768);
      context.fillStyle = '#fff';
      context.fillRect((x += 16) % 1024, 300, 64, 64);
      if (stream.getTracks()[0].readyState === 'ended') clearInterval(clock);
    }, 50);
    const stream = canvas.captureStream(20);
    return stream;
  };

  let measured;
  globalThis.measureTone = (frequency) => {
    const stream = globalThis.campana.call?.remoteStream;
    if (!stream?.getAudioTracks().length) return 0;
    if (measured?.stream !== stream) {
      const audio = new AudioContext();
      const analyser = new AnalyserNode(audio, { fftSize: 4096, smoothingTimeConstant: 0 });
      audio.createMediaStreamSource(stream).connect(analyser);
      measured = { stream, analyser, rate: audio.sampleRate };
    }
    const bins = new Float32Array(measured.analyser.frequencyBinCount);
    measured.analyser.getFloatFrequencyData(bins);
    const energy = bins.map((db) => 10 ** (db / 10));
    const total = energy.reduce((sum, e) => sum + e, 0);
    if (!(total > 1e-6)) return 0;
    const centre = Math.round((frequency * measured.analyser.fftSize) / measured.rate);
    const near = energy.slice(Math.max(0, centre - 4), centre + 5).reduce((sum, e) => sum + e, 0);
    return near / total;
  };

  let campana;
  Object.defineProperty(globalThis, 'campana', {
    configurable: true,
    get: () => campana,
    set(value) {
      let call = value.call;
      Object.defineProperty(value, 'call', {
        get: () => call,
        set(next) {
          globalThis.lastCall = next ?? call;
          call = next;
        },
      });
      campana = value;
    },
  });
}
