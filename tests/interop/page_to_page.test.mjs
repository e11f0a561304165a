// Two people in browsers call each other.

import test from 'node:test';

import { PAGE_TONE, PEER_TONE, expectPageEnded } from './expect.mjs';
import { until } from './process.mjs';
import { testWorld } from './world.mjs';

const world = testWorld();

test('a page calls a page with audio and video', async () => {
  const [juliet, romeo] = [await world.person('juliet'), await world.person('romeo')];
  const caller = await world.page(juliet, { tone: PAGE_TONE });
  const callee = await world.page(romeo, { tone: PEER_TONE });

  await caller.dial(romeo.jid, { video: true });
  await callee.accept();
  await caller.connected();
  await callee.connected();
  await until('the caller hears', async () => await caller.tone(PEER_TONE) > 0.5);
  await until('the callee hears', async () => await callee.tone(PAGE_TONE) > 0.5);
  for (const page of [caller, callee]) {
    await until('pictures', async () => (await page.media()).videoFrames >= 10, { within: 15_000 });
  }
  await callee.hangUp();
  await expectPageEnded(callee, 'success');
  await expectPageEnded(caller, 'success');
});
