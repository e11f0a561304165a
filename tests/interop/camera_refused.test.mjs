// The camera that is turned on in mid-call is refused, and taken later: until then the call is as it was.

import assert from 'node:assert/strict';
import test from 'node:test';

import { PAGE_TONE, PEER_TONE } from './expect.mjs';
import { until } from './process.mjs';
import { testWorld } from './world.mjs';

const world = testWorld();

for (const [hers, his] of [['chromium', 'firefox'], ['firefox', 'chromium']]) {
  for (const video of [true, false]) {
    test(`a camera in ${hers} is refused in a call with ${video ? 'his pictures' : 'sound alone'}`, async () => {
      const [juliet, romeo] = [await world.person('juliet'), await world.person('romeo')];
      const callee = await world.page(juliet, { tone: PAGE_TONE, browser: hers });
      const caller = await world.page(romeo, { tone: PEER_TONE, browser: his });
      await caller.dial(juliet.jid, { video });
      await callee.press(video ? '#accept-audio' : '#accept');
      await callee.connected();
      await caller.connected();
      const goesOn = async () => {
        await until('he hears her', async () => await caller.tone(PAGE_TONE) > 0.5, { within: 15_000 });
        await until('she hears him', async () => await callee.tone(PEER_TONE) > 0.5, { within: 15_000 });
        if (video) await callee.moves('#tiles video');
      };
      await goesOn();

      await refuseOffers(callee, true);
      await callee.press('#mute-video');
      await until('it is refused', async () => await refuseOffers(callee, true) > 0);
      await callee.moves('#local');
      await goesOn();
      await caller.hides('#tiles video');

      await refuseOffers(callee, false);
      await caller.moves('#tiles video', 20_000);
      await goesOn();
      await callee.hangUp();
      await callee.close();
      await caller.close();
    });
  }
}

/** Whether what a page offers is refused before it has left; gives how many were so far. */
function refuseOffers(page, refused) {
  return page.page.evaluate((on) => {
    const { client } = globalThis.campana;
    if (!globalThis.refusal) {
      const [refusal, request] = [{ count: 0 }, client.request.bind(client)];
      globalThis.refusal = refusal;
      client.request = async (to, type, payload) => {
        if (!refusal.on || !payload.querySelector('offer')) return request(to, type, payload);
        refusal.count += 1;
        throw new Error('refused');
      };
    }
    globalThis.refusal.on = on;
    return globalThis.refusal.count;
  }, refused);
}
