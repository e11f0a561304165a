// Real WebRTC engines take the SDP that the mapping makes: of every recorded Jingle stanza, and of
// every recorded offer after its way through Jingle. CORPUS=dir takes other recordings than those of
// tests/corpus.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';

import wrtc from '@roamhq/wrtc';

import { launchAiortc } from './aiortc.mjs';
import { launchBrowser } from './browser.mjs';
import { binary } from './campana.mjs';
import { launchFirefox } from './firefox.mjs';

const CORPUS = path.resolve(process.env.CORPUS ?? path.join(import.meta.dirname, '../corpus'));

const files = readdirSync(CORPUS, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .flatMap(({ name }) => readdirSync(path.join(CORPUS, name)).map((file) => `${name}/${file}`))
  .sort();
const stanzas = files.filter((file) => file.endsWith('.xml'));
const offers = files.filter((file) => /\.offer(-full)?\.sdp$/.test(file));

/** Whose description a recorded stanza is. */
const isResponders = (file) => /answer|session-accept/.test(file);

/** Folders that are named as a dialect is. */
const DIALECTS = ['conversations', 'dino', 'jitsi', 'monal', 'movim', 'stanza'];

/** What an engine refuses for a reason of its own, with that reason. */
const REFUSED = {
  firefox: { 'knows H.264 only with OpenH264, which is fetched': /chrome156-codec-h264/ },
  wrtc: {
    'knows no H.264': /chrome156-codec-h264/,
    // They say no msid, and this libwebrtc takes each source without one for a track of its own.
    'a track of two sources without msid': new RegExp([
      'conversations/chrome156-(audio-video|audio-video-data|recvonly-both)\\.answer',
      'monal/aiortc1\\.16-audio-video\\.',
      'monal/wrtc0\\.10-audio-video\\.answer',
    ].join('|')),
  },
};

/** `campana map`; throws what it says. */
function map(way, input, ...options) {
  const run = spawnSync(binary(), ['map', way, ...options], { input, encoding: 'utf8' });
  if (run.status !== 0) throw new Error(`map ${way} ${options.join(' ')}: ${run.error ?? run.stderr}`);
  return run.stdout;
}

/** The sections of a description that are rejected. */
function rejected(sdp) {
  return sdp.split(/^m=/m).slice(1).map((section) => (
    /^\S+ 0 /.test(section) && !/^a=bundle-only/m.test(section)
  ));
}

/** Runs in the engine: its answer to an offer. */
async function answerTo(sdp, RTC) {
  const Peer = RTC?.RTCPeerConnection ?? globalThis.RTCPeerConnection;
  const pc = new Peer();
  try {
    await pc.setRemoteDescription({ type: 'offer', sdp });
    const answer = await pc.createAnswer();
    await pc.setLocalDescription(answer);
    return { answer: answer.sdp };
  } catch (error) {
    return { error: String(error) };
  } finally {
    pc.close();
  }
}

/** A browser as an engine. */
async function inPage(launched) {
  const browser = await launched;
  const page = await browser.context.newPage();
  await page.goto('about:blank');
  return { answer: (sdp) => page.evaluate(answerTo, sdp), close: () => browser.close() };
}

/** @type {Record<string, () => Promise<{answer: Function, close: Function}>>} */
const engines = {
  chromium: () => inPage(launchBrowser()),
  firefox: () => inPage(launchFirefox()),
  aiortc: launchAiortc,
  async wrtc() {
    return { answer: (sdp) => answerTo(sdp, wrtc), close() {} };
  },
};

for (const [name, start] of Object.entries(engines)) {
  test(`${name} takes the SDP of the mapping`, async (t) => {
    const engine = await start();
    try {
      await t.test(`of ${stanzas.length} recorded stanzas`, async () => {
        const problems = [];
        for (const file of stanzas) {
          const role = isResponders(file) ? 'responder' : 'initiator';
          const xml = readFileSync(path.join(CORPUS, file));
          const dialect = path.dirname(file);
          const options = ['--role', role, '--type', 'offer'];
          if (DIALECTS.includes(dialect)) options.push('--dialect', dialect);
          const sdp = map('jingle-to-sdp', xml, ...options);
          problems.push(...await check(engine, name, file, sdp, role));
        }
        assert.deepEqual(problems, []);
      });
      await t.test(`of ${offers.length} offers by way of Jingle`, async () => {
        const problems = [];
        let taken = 0;
        for (const file of offers) {
          const original = readFileSync(path.join(CORPUS, file), 'utf8');
          const { answer, error } = await engine.answer(original);
          // What it does not take from the one who wrote it is no matter of ours.
          if (error) continue;
          taken += 1;
          const as = ['--role', 'initiator', '--type', 'offer'];
          const sdp = map('jingle-to-sdp', map('sdp-to-jingle', original, ...as), ...as);
          problems.push(...await check(engine, name, file, sdp, 'initiator', rejected(answer)));
        }
        assert.ok(taken >= offers.length / 2, `${name} takes only ${taken} of the originals`);
        assert.deepEqual(problems, []);
      });
    } finally {
      await engine.close();
    }
  });
}

/** What is wrong with an offer and the engine's answer to it. */
async function check(engine, name, file, sdp, role, expected = undefined) {
  const { answer, error } = await engine.answer(sdp);
  if (Object.values(REFUSED[name] ?? {}).some((files) => files.test(file))) {
    const refused = error || rejected(answer).every(Boolean);
    return refused ? [] : [`${file}: ${name} takes it now`];
  }
  if (error) return [`${file}: ${error}`];
  const problems = [];
  const sections = rejected(answer);
  const offered = rejected(sdp);
  if (sections.length !== offered.length) problems.push(`${file}: ${sections.length} sections`);
  if (expected && sections.join() !== expected.join()) {
    problems.push(`${file}: rejected ${sections}, of the original ${expected}`);
  }
  if (sections.every(Boolean)) {
    // So it may be with the original: Firefox has no H.264 here.
    return expected ? problems : [...problems, `${file}: all sections are rejected`];
  }
  try {
    const other = role === 'initiator' ? 'responder' : 'initiator';
    const back = map('sdp-to-jingle', answer, '--role', other, '--type', 'answer');
    const contents = back.split('<content creator').length - 1;
    const live = sections.filter((own) => !own).length;
    if (contents !== live) problems.push(`${file}: ${contents} contents of ${live} sections`);
  } catch (failure) {
    problems.push(`${file}: ${failure.message}`);
  }
  return problems;
}
