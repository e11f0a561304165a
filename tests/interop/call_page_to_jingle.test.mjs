// A person in a browser calls a person in an IM client: both hear each other, one sees the other.

import assert from 'node:assert/strict';
import test from 'node:test';

import { PAGE_TONE, PEER_TONE, expectSoundBothWays } from './expect.mjs';
import { until } from './process.mjs';
import { testWorld } from './world.mjs';

const world = testWorld();

test('a page calls a Jingle client with audio and video', async (t) => {
  const [juliet, romeo] = [await world.person('juliet'), await world.person('romeo')];
  const jingle = await world.jingle(romeo);
  const page = await world.page(juliet, { tone: PAGE_TONE });

  await page.dial(romeo.jid, { video: true });
  const call = await jingle.incoming();
  assert.equal(call.peer.split('/')[0], world.addressOf(juliet), 'the caller is shown as her gateway address');
  await call.ring();
  await page.says(/rings/);
  await call.accept({ tone: PEER_TONE, video: true });
  await page.connected();

  const sound = await expectSoundBothWays(page, call);
  await until('pictures at the peer', () => call.video?.frames >= 10, { within: 15_000 });
  await until('pictures at the page', async () => (await page.media()).videoFrames >= 10, { within: 15_000 });
  t.diagnostic(JSON.stringify({
    ...sound, picturesAtPeer: call.video.frames, picturesAtPage: (await page.media()).videoFrames,
  }));
});
