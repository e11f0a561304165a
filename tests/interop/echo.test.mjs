// The test call: whoever calls echo@ hears and sees herself.

import assert from 'node:assert/strict';
import test from 'node:test';

import { PAGE_TONE, PEER_TONE, expectPeerEnded } from './expect.mjs';
import { until } from './process.mjs';
import { testWorld } from './world.mjs';

const world = testWorld({ config: { limits: { echo_calls: 2 } } });
const echo = () => `echo@${world.campana.service}`;

test('a Jingle client hears and sees itself', async (t) => {
  const romeo = await world.person('romeo');
  const jingle = await world.jingle(romeo);
  const address = await jingle.reach(echo());
  const call = await jingle.place(address, { tone: PEER_TONE, video: true });
  await until('the call is taken', () => call.accepted, { within: 10_000 });
  await until('its own tone comes back', () => call.audio?.tone(PEER_TONE) > 0.5, { within: 15_000 });
  await until('its own pictures come back', () => call.video?.frames >= 10, { within: 15_000 });
  t.diagnostic(JSON.stringify({ tone: call.audio.tone(PEER_TONE), frames: call.audio.frames, pictures: call.video.frames }));
  call.hangUp();
  await expectPeerEnded(call, 'success');
});

for (const browser of ['chromium', 'firefox']) {
  test(`a page in ${browser} hears and sees itself`, async (t) => {
    const juliet = await world.person('juliet');
    const page = await world.page(juliet, { tone: PAGE_TONE, browser });
    await page.dial(echo(), { video: true });
    await page.connected();
    await until('its own tone comes back', async () => await page.tone(PAGE_TONE) > 0.5, { within: 15_000 });
    await until('its own pictures come back', async () => (await page.media()).videoFrames >= 10, { within: 15_000 });
    const { audioPackets, videoFrames } = await page.media();
    t.diagnostic(JSON.stringify({ tone: await page.tone(PAGE_TONE), audioPackets, videoFrames }));
    await page.hangUp();
  });
}

test('a greeting comes first, and the call ends by itself', async (t) => {
  const romeo = await world.person('romeo');
  const jingle = await world.jingle(romeo);
  const call = await jingle.place(await jingle.reach(echo()), { tone: PEER_TONE });
  await until('the call is taken', () => call.accepted, { within: 10_000 });
  const began = Date.now();
  // Two strokes of a bell; its own tone only later.
  await until('the first stroke', () => call.audio?.tone(880) > 0.2, { within: 10_000, every: 20 });
  assert.ok(call.audio.tone(PEER_TONE) < 0.1, `${call.audio.tone(PEER_TONE)}`);
  await until('the second stroke', () => call.audio.tone(660) > 0.2, { within: 3000, every: 20 });
  await until('its own tone comes back', () => call.audio.tone(PEER_TONE) > 0.5, { within: 10_000 });
  await expectPeerEnded(call, 'success', 65_000);
  const seconds = (Date.now() - began) / 1000;
  t.diagnostic(`ended after ${seconds.toFixed(1)} s`);
  assert.ok(seconds > 55, `${seconds} s`);
});

test('one call too many is told that it is busy', async () => {
  const romeo = await world.person('romeo');
  const jingle = await world.jingle(romeo);
  const address = await jingle.reach(echo());
  const [first, second] = [await jingle.place(address, { tone: PEER_TONE }), await jingle.place(address, { tone: PEER_TONE })];
  await until('two calls are taken', () => first.accepted && second.accepted, { within: 15_000 });
  const third = await jingle.place(address, { tone: PEER_TONE });
  await expectPeerEnded(third, 'busy');
  for (const call of [first, second]) call.hangUp();
});
