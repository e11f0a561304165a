// Dino shows whether a contact can be called at her gateway address, and calls her there: the same
// over every server.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { dinoWorld } from './dino-world.mjs';
import { until } from './process.mjs';

/** @param {{startServer: Function, privileged: boolean}} options */
export function testDinoContact(options) {
  const both = dinoWorld({ ...options, contacts: true });

  test('Dino shows no call button while she is away', async (t) => {
    t.diagnostic(both.dino.version);
    assert.equal(await both.dino.offersCall(both.address), false);
  });

  test('the call button is there when she comes, and a call goes through', async (t) => {
    both.page = await both.anotherTab();
    await until('Dino offers a call', () => both.dino.offersCall(both.address), { within: 30_000, every: 500 });
    await both.dinoCallsAndHangsUp(t);
    await both.dinoIsFree();
  });

  test('Dino hears that she left', async () => {
    await both.page.leave();
    both.page = undefined;
    // The button stays: she might be woken by the call of one who knows that her client can do that
    // (XEP-0353), as Dino 0.4 keeps in mind.
    await until('Dino hears it', () => {
      const last = (both.dino.plainLog().match(/<presence [^>]*>/g) ?? []).findLast((presence) => presence.includes(`from='${both.address}/campana'`));
      return last?.includes("type='unavailable'");
    });
  });
}
