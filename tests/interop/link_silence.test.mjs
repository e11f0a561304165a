// A link on which nobody says anything stays up: SILENCE_SECONDS, 180 by default.

import assert from 'node:assert/strict';
import test from 'node:test';

import { sleep } from './process.mjs';
import { testWorld } from './world.mjs';

const SECONDS = Number(process.env.SILENCE_SECONDS ?? 180);

const world = testWorld();

test(`the link survives ${SECONDS} s of silence`, { timeout: (SECONDS + 60) * 1000 }, async () => {
  const link = world.campana.link();
  assert.notEqual(link, '');
  const end = Date.now() + SECONDS * 1000;
  while (Date.now() < end) {
    await sleep(Math.min(5000, end - Date.now()));
    assert.ok(await world.campana.isReady(), 'ready throughout');
  }
  assert.equal(world.campana.link(), link, 'the same connection');
  const script = await world.script(await world.person('juliet'));
  const reply = await script.request(
    `<iq type='get' to='${world.campana.service}'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>`,
  );
  assert.equal(reply.getAttribute('type'), 'result');
});
