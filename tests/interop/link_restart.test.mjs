// The XMPP server restarts in mid-call: media goes on, the link is back at once, and either end
// can still end the call.

import assert from 'node:assert/strict';
import test from 'node:test';

import {
  PAGE_TONE, PEER_TONE, connectPageToPeer, expectPageEnded, expectPeerEnded, expectSoundBothWays,
} from './expect.mjs';
import { accepts, until } from './process.mjs';
import { testWorld } from './world.mjs';

const world = testWorld();
/** How long after its port each restarted server had the link back, in ms. */
const figures = [];
let romeo; let jingle; let page;

world.before(async () => {
  romeo = await world.person('romeo');
  jingle = await world.jingle(romeo);
  page = await world.page(await world.person('juliet'), { tone: PAGE_TONE });
});

/** Crashes and boots the server; gives how long after its port is back the link is. */
async function restart() {
  await world.server.crash();
  await until('Campana knows', async () => !(await world.campana.isReady()), { every: 10 });
  const booted = world.server.boot();
  await until('the port is back', () => accepts(world.server.ports.component), { within: 60_000, every: 5 });
  const back = performance.now();
  await until('the link is back', () => world.campana.isReady(), { every: 5 });
  const took = performance.now() - back;
  await booted;
  return took;
}

async function survive(t) {
  const call = await connectPageToPeer(world, page, jingle, romeo);
  await expectSoundBothWays(page, call);
  const took = await restart();
  t.diagnostic(`link back ${took.toFixed()} ms after the port`);
  figures.push(took);
  await jingle.comeBack();
  await until('the page is back', () => page.page.evaluate(() => globalThis.campana.client.online), { within: 20_000 });
  assert.equal(call.ended, null);
  assert.equal((await page.call()).state, 'connected');
  await expectSoundBothWays(page, call);
  return call;
}

test('then the page hangs up', async (t) => {
  const call = await survive(t);
  await page.hangUp();
  await expectPageEnded(page, 'success');
  await expectPeerEnded(call, 'success');
});

test('then the Jingle client hangs up', async (t) => {
  const call = await survive(t);
  call.hangUp('success');
  await expectPageEnded(page, 'success');
});

test('then a new call works', async () => {
  const call = await connectPageToPeer(world, page, jingle, romeo);
  await until('the page hears', async () => await page.tone(PEER_TONE) > 0.5);
  await page.hangUp();
  await expectPeerEnded(call, 'success');
});

// A busy machine may hold up a server that is only just booting, but not every time.
test('the link is back within a second', async (t) => {
  for (let more = 5; more > 0 && Math.min(...figures) >= 1000; more -= 1) {
    const call = await connectPageToPeer(world, page, jingle, romeo);
    figures.push(await restart());
    await jingle.comeBack();
    await until('the page is back', () => page.page.evaluate(() => globalThis.campana.client.online), { within: 20_000 });
    await page.hangUp();
    await expectPeerEnded(call, 'success');
  }
  t.diagnostic(`link back after ${figures.map((took) => took.toFixed())} ms`);
  assert.ok(Math.min(...figures) < 1000, `${figures}`);
  assert.ok(Math.max(...figures) < 10_000, `${figures}`);
});
