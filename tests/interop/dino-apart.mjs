// Dino and a page in networks that reach each other through Campana's TURN alone. Nobody has told Dino of
// that: it asks its own XMPP server, which hands the question on (XEP-0355).

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { testCrash, testPictures, testRefusals, testSound } from './dino-calls.mjs';
import { dinoWorld } from './dino-world.mjs';
import { until } from './process.mjs';

/** @param {{startServer: Function, carry: boolean}} options */
export function testDinoApart(options) {
  const both = dinoWorld({ ...options, apart: true, camera: true });

  test('its server tells Dino of the relay, with credentials of its person', async () => {
    const told = await until('Dino is told of a relay', () => {
      return both.dino.plainLog().match(/<service\b[^>]*type='turn'[^>]*>/)?.[0];
    });
    assert.match(told, new RegExp(`host='${both.relay.address}'`));
    assert.match(told, new RegExp(`port='${both.relay.port}'`));
    assert.match(told, new RegExp(`username='\\d+:${both.romeo.jid}'`));
  });

  testSound(both);
  testPictures(both);
  testRefusals(both);
  testCrash(both);
}
