// Whoever hangs up, the other end knows; so does a caller who gives up.

import test from 'node:test';

import { connectPageToPeer, expectPageEnded, expectPeerEnded } from './expect.mjs';
import { testWorld } from './world.mjs';

const world = testWorld();
let romeo; let jingle; let page;

world.before(async () => {
  romeo = await world.person('romeo');
  jingle = await world.jingle(romeo);
  page = await world.page(await world.person('juliet'));
});

test('the page hangs up', async () => {
  const call = await connectPageToPeer(world, page, jingle, romeo);
  await page.hangUp();
  await expectPageEnded(page, 'success');
  await expectPeerEnded(call, 'success');
});

test('the Jingle client hangs up', async () => {
  const call = await connectPageToPeer(world, page, jingle, romeo);
  call.hangUp('success');
  await expectPageEnded(page, 'success');
});

test('the page gives up before the answer', async () => {
  await page.dial(romeo.jid);
  const call = await jingle.incoming();
  await page.hangUp();
  await expectPageEnded(page, 'cancel');
  await expectPeerEnded(call, 'cancel');
});

test('the page closes in mid-call', async () => {
  const other = await world.page(await world.person('nurse'));
  const call = await connectPageToPeer(world, other, jingle, romeo);
  await other.leave();
  await expectPeerEnded(call, 'gone');
});
