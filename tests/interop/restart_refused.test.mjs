// Of a call that it has placed, stanza.js restarts ICE by itself alone. A restart at the page is refused
// then, and taken back: the call is as it was.

import assert from 'node:assert/strict';
import test from 'node:test';

import { PAGE_TONE, PEER_TONE, expectPageEnded, expectSoundBothWays } from './expect.mjs';
import { until } from './process.mjs';
import { testWorld } from './world.mjs';

const world = testWorld();

for (const browser of ['chromium', 'firefox']) {
  test(`a restart of ICE is refused, and a call with ${browser} goes on`, async () => {
    const [juliet, romeo] = [await world.person('juliet'), await world.person('romeo')];
    const page = await world.page(juliet, { tone: PAGE_TONE, browser });
    const peer = await world.jingle(romeo, { camera: true });
    const call = await peer.place(`${world.addressOf(juliet)}/campana`, { tone: PEER_TONE, video: true });
    await page.accept();
    await page.connected();
    const goesOn = async () => {
      await expectSoundBothWays(page, call);
      await page.moves('#tiles video');
      const before = call.video.frames;
      await until('pictures at the peer', () => call.video.frames >= before + 10, { within: 15_000 });
    };
    await goesOn();

    assert.equal(await page.refusedRestart(), 'refused feature-not-implemented');
    await goesOn();
    await page.shows('#phase', /^\d\d:\d\d$/);
    await call.hangUp('success');
    await expectPageEnded(page, 'success');
    await page.close();
  });
}
