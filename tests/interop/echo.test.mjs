// The test call: whoever calls echo@ hears and sees herself.

import test from 'node:test';

import { PAGE_TONE, PEER_TONE, expectPeerEnded } from './expect.mjs';
import { until } from './process.mjs';
import { testWorld } from './world.mjs';

const world = testWorld();
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

test('a page hears and sees itself', async (t) => {
  const juliet = await world.person('juliet');
  const page = await world.page(juliet, { tone: PAGE_TONE });
  await page.dial(echo(), { video: true });
  await page.connected();
  await until('its own tone comes back', async () => await page.tone(PAGE_TONE) > 0.5, { within: 15_000 });
  await until('its own pictures come back', async () => (await page.media()).videoFrames >= 10, { within: 15_000 });
  const { audioPackets, videoFrames } = await page.media();
  t.diagnostic(JSON.stringify({ tone: await page.tone(PAGE_TONE), audioPackets, videoFrames }));
  await page.hangUp();
});
