// A call that nobody answers ends for both after call.ring_timeout.

import assert from 'node:assert/strict';
import test from 'node:test';

import { PEER_TONE, expectPageEnded, expectPeerEnded } from './expect.mjs';
import { until } from './process.mjs';
import { testWorld } from './world.mjs';

const RING_TIMEOUT = 2;
const world = testWorld({ config: { call: { ring_timeout: RING_TIMEOUT } } });
let juliet; let romeo; let jingle; let page;

world.before(async () => {
  [juliet, romeo] = [await world.person('juliet'), await world.person('romeo')];
  await world.befriend(juliet, romeo);
  page = await world.page(juliet);
  jingle = await world.jingle(romeo);
});

test('the Jingle client does not answer', async () => {
  await page.dial(romeo.jid);
  const call = await jingle.incoming();
  const rang = Date.now();
  await expectPageEnded(page, 'timeout', RING_TIMEOUT * 1000 + 3000);
  await expectPeerEnded(call, 'timeout');
  assert.ok(Date.now() - rang >= RING_TIMEOUT * 1000 - 500, `after ${Date.now() - rang} ms`);
});

test('the page does not answer', async () => {
  const call = await jingle.place(await jingle.reach(world.addressOf(juliet)), { tone: PEER_TONE });
  await until('the page rings', () => page.rings());
  await expectPeerEnded(call, 'timeout', RING_TIMEOUT * 1000 + 3000);
  await expectPageEnded(page, 'timeout');
  assert.equal(await page.rings(), false);
});
