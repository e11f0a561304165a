// Dino is where nobody but Campana's TURN server can be reached, and nobody has told it of that: it asks
// its own XMPP server, which hands the question on (XEP-0355).

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { dinoWorld } from './dino-world.mjs';
import { expectPageEnded } from './expect.mjs';
import { until } from './process.mjs';

const both = dinoWorld({ relayed: true });

test('its server tells Dino of the relay, with credentials of its person', async (t) => {
  t.diagnostic(both.dino.version);
  const told = await until('Dino is told of a relay', () => {
    return both.dino.plainLog().match(/<service\b[^>]*type='turn'[^>]*>/)?.[0];
  });
  assert.match(told, new RegExp(`host='${both.relay.address}'`));
  assert.match(told, new RegExp(`port='${both.relay.port}'`));
  assert.match(told, new RegExp(`username='\\d+:${both.romeo.jid}'`));
});

for (const [name, call] of [
  ['Dino calls', async () => {
    await both.dinoCalls();
    await both.page.accept();
  }],
  ['the page calls', async () => (await both.pageCalls()).accept()],
]) {
  test(`${name}, and they hear each other through the relay`, async (t) => {
    await call();
    await both.page.connected();
    const sound = await both.expectSoundBothWays();
    t.diagnostic(JSON.stringify(sound));
    assert.match(sound.path, /– relay$/);
    await both.dino.hangUp();
    await expectPageEnded(both.page, 'success');
    await both.dinoIsFree();
  });
}
