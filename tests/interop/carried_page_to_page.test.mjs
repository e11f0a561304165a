// Two pages call each other at their people's own addresses: two calls in Campana, ordinary Jingle
// between them.

import assert from 'node:assert/strict';
import test from 'node:test';

import { PAGE_TONE, PEER_TONE, expectPageEnded } from './expect.mjs';
import { until } from './process.mjs';
import { testWorld } from './world.mjs';

const startServer = process.env.SERVER === 'prosody' ? (await import('./prosody.mjs')).startProsody : undefined;
const world = testWorld({ startServer });

test('a carried page calls a carried page, whose other tab learns of it', async () => {
  const [juliet, romeo] = [await world.person('juliet'), await world.person('romeo')];
  const caller = await world.page(juliet, { tone: PAGE_TONE, carry: true });
  const callee = await world.page(romeo, { tone: PEER_TONE, carry: true });
  const other = await world.page(romeo, { tone: PEER_TONE, carry: true });

  await caller.dial(romeo.jid, { video: true });
  await until('both tabs ring', async () => await callee.rings() && await other.rings());
  await callee.accept();
  await until('the other tab is told', async () => !await other.rings());
  await caller.connected();
  await callee.connected();
  assert.equal((await caller.call()).peer, romeo.jid);
  assert.equal((await other.call()).reason, 'cancel');
  await until('the caller hears', async () => await caller.tone(PEER_TONE) > 0.5);
  await until('the callee hears', async () => await callee.tone(PAGE_TONE) > 0.5);
  for (const page of [caller, callee]) {
    await until('pictures', async () => (await page.media()).videoFrames >= 10, { within: 15_000 });
  }
  await callee.hangUp();
  await expectPageEnded(callee, 'success');
  await expectPageEnded(caller, 'success');
});

test('a carried page declines', async () => {
  const [juliet, romeo] = [await world.person('juliet'), await world.person('romeo')];
  const caller = await world.page(juliet, { carry: true });
  const callee = await world.page(romeo, { carry: true });
  await caller.dial(romeo.jid);
  await callee.decline();
  await expectPageEnded(caller, 'decline');
});
