// A person in an IM client calls a person in a browser.

import assert from 'node:assert/strict';
import test from 'node:test';

import { PAGE_TONE, PEER_TONE, expectSoundBothWays } from './expect.mjs';
import { until } from './process.mjs';
import { testWorld } from './world.mjs';

const world = testWorld();

test('a Jingle client calls a page with audio and video', async (t) => {
  const [juliet, romeo] = [await world.person('juliet'), await world.person('romeo')];
  await world.befriend(juliet, romeo);
  const page = await world.page(juliet, { tone: PAGE_TONE });
  const jingle = await world.jingle(romeo);

  const address = await jingle.reach(world.addressOf(juliet));
  const call = await jingle.place(address, { tone: PEER_TONE, video: true });
  await until('the page rings', () => page.rings());
  assert.match(await page.page.textContent('#caller'), new RegExp(`^${romeo.jid.split('@')[0]} calls with video`));
  await page.shows('#caller-hint', new RegExp(`^${romeo.jid}$`));
  await until('the caller is told that it rings', () => call.ringing);
  await page.accept();
  await page.connected();
  assert.ok(call.accepted);

  const sound = await expectSoundBothWays(page, call);
  await until('pictures at the peer', () => call.video?.frames >= 10, { within: 15_000 });
  await until('pictures at the page', async () => (await page.media()).videoFrames >= 10, { within: 15_000 });
  t.diagnostic(JSON.stringify({
    ...sound, picturesAtPeer: call.video.frames, picturesAtPage: (await page.media()).videoFrames,
  }));
});
