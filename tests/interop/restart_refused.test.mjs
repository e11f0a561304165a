// Of a call that it has placed, stanza.js restarts ICE by itself alone. A restart at the page is refused
// then, and taken back: the call is as it was.

import assert from 'node:assert/strict';
import test from 'node:test';

import { PAGE_TONE, PEER_TONE, expectPageEnded, expectSoundBothWays } from './expect.mjs';
import { until } from './process.mjs';
import { testWorld } from './world.mjs';

const world = testWorld();

for (const browser of ['chromium', 'firefox']) {
  for (const camera of [true, false]) {
    test(`a restart of ICE is refused, and a call with ${browser} ${camera ? 'and' : 'without'} a camera goes on`, async () => {
      const [juliet, romeo] = [await world.person('juliet'), await world.person('romeo')];
      const page = await world.page(juliet, { tone: PAGE_TONE, browser });
      if (!camera) await page.withoutCamera();
      const peer = await world.jingle(romeo, { camera: true });
      const call = await peer.place(`${world.addressOf(juliet)}/campana`, { tone: PEER_TONE, video: true });
      await page.accept();
      await page.connected();
      const goesOn = async () => {
        await expectSoundBothWays(page, call);
        await page.moves('#tiles video');
        if (!camera) return;
        const before = call.video.frames;
        await until('pictures at the peer', () => call.video.frames >= before + 10, { within: 15_000 });
      };
      await goesOn();

      assert.equal(await page.refusedRestart(), 'refused feature-not-implemented');
      await goesOn();
      assert.ok(await wantsNoRestart(page), 'the browser wants the restart no more');

      // The page's own, when the browser tells of another network.
      assert.equal(await page.refusedRestart({ network: true }), 'refused feature-not-implemented');
      await goesOn();
      assert.ok(await wantsNoRestart(page), 'the browser wants the restart no more');
      await page.shows('#phase', /^\d\d:\d\d$/);
      await call.hangUp('success');
      await expectPageEnded(page, 'success');
      const asked = peer.wire.filter((line) => line.startsWith('<') && line.includes('content-add'));
      assert.deepEqual(asked, [], 'nothing was added to the call');
      await page.close();
    });
  }
}

/** Whether what the browser offers next goes on with the ICE that is agreed on. */
function wantsNoRestart(page) {
  return page.page.evaluate(async () => {
    const { pc } = globalThis.campana.call;
    const ufrag = ({ sdp }) => sdp.match(/^a=ice-ufrag:(\S+)/m)[1];
    return ufrag(await pc.createOffer()) === ufrag(pc.currentLocalDescription);
  });
}
