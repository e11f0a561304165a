// A call that is declined ends for the caller, with that reason.

import test from 'node:test';

import { PEER_TONE, expectPageEnded, expectPeerEnded } from './expect.mjs';
import { testWorld } from './world.mjs';

const world = testWorld();
let juliet; let romeo; let jingle; let page;

world.before(async () => {
  [juliet, romeo] = [await world.person('juliet'), await world.person('romeo')];
  await world.befriend(juliet, romeo);
  page = await world.page(juliet);
  jingle = await world.jingle(romeo);
});

test('the Jingle client declines', async () => {
  await page.dial(romeo.jid);
  const call = await jingle.incoming();
  call.decline();
  await expectPageEnded(page, 'decline');
});

test('the page declines', async () => {
  const address = await jingle.reach(world.addressOf(juliet));
  const call = await jingle.place(address, { tone: PEER_TONE });
  await page.decline();
  await expectPageEnded(page, 'decline');
  await expectPeerEnded(call, 'decline');
});

test('nobody is there', async () => {
  await page.dial(`nobody@${world.server.host}`);
  await page.says(/available|nobody|over/);
});
