// With iceTransportPolicy 'relay' media goes through Campana's own TURN, and nowhere else.

import assert from 'node:assert/strict';
import test from 'node:test';

import { PAGE_TONE, connectPageToPeer, expectSoundBothWays } from './expect.mjs';
import { ownAddress } from './process.mjs';
import { testWorld } from './world.mjs';

const world = testWorld();

test('a page that may only relay calls a Jingle client', async (t) => {
  const romeo = await world.person('romeo');
  const jingle = await world.jingle(romeo);
  const page = await world.page(await world.person('juliet'), { tone: PAGE_TONE });
  await page.relayOnly();

  const call = await connectPageToPeer(world, page, jingle, romeo);
  const sound = await expectSoundBothWays(page, call);
  const { local, remote } = await page.media();
  assert.equal(local.type, 'relay');
  assert.equal(local.address, ownAddress());
  assert.match(local.url, new RegExp(`^turn:${ownAddress()}:${world.campana.ports.turn}`));
  t.diagnostic(JSON.stringify({ local, remote, ...sound }));
});
