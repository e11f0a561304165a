// The network changes in mid-call: the cable is out, and when it is in again the address is another.
// The call goes on, over a new path.

import assert from 'node:assert/strict';
import test from 'node:test';

import { openNetworks } from './elsewhere.mjs';
import { PAGE_TONE, PEER_TONE } from './expect.mjs';
import { until } from './process.mjs';
import { testWorld } from './world.mjs';

const world = testWorld();
let networks;
world.before(async () => {
  networks = await openNetworks({
    dir: world.dir, ports: [world.campana.ports.http, world.server.ports.http],
  });
  world.closing(() => networks.close());
});

for (const [hers, his] of [['chromium', 'firefox'], ['firefox', 'chromium']]) {
  test(`a call from ${hers} survives another network`, async (t) => {
    const [juliet, romeo] = [await world.person('juliet'), await world.person('romeo')];
    const caller = await world.page(juliet, { tone: PAGE_TONE, browser: hers, network: networks.far });
    const callee = await world.page(romeo, { tone: PEER_TONE, browser: his, network: networks.near });
    await caller.dial(romeo.jid, { video: true });
    await callee.accept();
    await caller.connected();
    await hearEachOther(caller, callee);
    const { local } = await caller.media();
    assert.equal(local.address, networks.address);

    networks.unplug();
    await caller.says(/^The connection is (weak|away)/, 15_000);
    const [heard, sent] = [await caller.packetsWithin(1000), await callee.packetsWithin(1000)];
    assert.deepEqual([heard, sent], [0, 0], 'nothing arrives without a cable');
    networks.plugIn({ another: true });

    const began = performance.now();
    await until('sound and pictures arrive again', async () => (
      await caller.packetsWithin(300) > 5 && await callee.packetsWithin(300) > 5
    ), { within: 40_000 });
    const seconds = (performance.now() - began) / 1000;
    await hearEachOther(caller, callee);
    for (const page of [caller, callee]) {
      await page.moves('#tiles video');
      await page.shows('#phase', /^\d\d:\d\d$/);
      await page.hides('#notes');
    }
    const after = await caller.media();
    assert.equal(after.local.address, networks.address, 'the new address is used');
    assert.notEqual(after.local.address, local.address);
    t.diagnostic(`media flows ${seconds.toFixed(1)} s after the cable was in again`);

    // What is said about the call arrives, too.
    await caller.press('#mute-audio');
    await callee.shows('#notes', /is muted/, 30_000);
    await caller.hangUp();
    await callee.says(/^The call is over: hung up/);
    await caller.close();
    await callee.close();
  });
}

test('a call in which nothing arrives any more finds another path', async (t) => {
  const [juliet, romeo] = [await world.person('juliet'), await world.person('romeo')];
  const caller = await world.page(juliet, { tone: PAGE_TONE, browser: 'chromium', network: networks.far });
  const callee = await world.page(romeo, { tone: PEER_TONE, browser: 'firefox', network: networks.near });
  await caller.dial(romeo.jid);
  await callee.accept();
  await caller.connected();
  await hearEachOther(caller, callee);
  const { local } = await caller.media();

  const began = performance.now();
  networks.deafen(local.port);
  await until('nothing arrives', async () => await caller.packetsWithin(300) === 0);
  assert.equal(await caller.page.evaluate(() => globalThis.campana.call.pc.connectionState), 'connected');
  await caller.says(/^The connection is weak/, 20_000);
  // A restart may be in vain: Firefox, to which the old path is well, was seen not to try the new one. Others
  // come some 25 and 46 s after the silence began.
  await until('sound arrives again', async () => await caller.packetsWithin(300) > 5, { within: 60_000 });
  t.diagnostic(`sound arrives again after ${((performance.now() - began) / 1000).toFixed(1)} s`);
  assert.notEqual((await caller.media()).local.port, local.port, 'another path is used');
  await caller.says(/^In a call/);
  await hearEachOther(caller, callee);
  await caller.hangUp();
  await caller.close();
  await callee.close();
});

/** Each hears the other's tone. */
async function hearEachOther(one, other) {
  await until('the other hears her', async () => await other.tone(PAGE_TONE) > 0.5, { within: 15_000 });
  await until('she hears the other', async () => await one.tone(PEER_TONE) > 0.5, { within: 15_000 });
}
