// A person whose client rings only at her gateway address, called by a page that carries its calls.

import assert from 'node:assert/strict';
import test from 'node:test';

import { PAGE_TONE, PEER_TONE, expectPeerEnded } from './expect.mjs';
import { testWorld } from './world.mjs';

const world = testWorld();

test('a page calls a contact whose client rings only at the gateway address', async () => {
  const [juliet, romeo] = [await world.person('juliet'), await world.person('romeo')];
  await world.befriend(juliet, romeo);
  const jingle = await world.jingle(romeo);
  const page = await world.page(juliet, { tone: PAGE_TONE, carry: true });
  await page.shows('#contacts [data-jid^=romeo] [data-kind=audio]', /^Call romeo/);
  await page.press('#contacts [data-jid^=romeo] [data-kind=audio]');
  const call = await jingle.incoming();
  assert.equal(call.peer.split('/')[0], world.addressOf(juliet));
  await call.accept({ tone: PEER_TONE });
  await page.connected();
  await page.hangUp();
  await expectPeerEnded(call, 'success');
});
