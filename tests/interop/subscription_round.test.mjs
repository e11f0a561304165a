// Two real clients, stanza.js and slixmpp, and a server that grants Campana nothing: each subscribes
// to the other's gateway address and sees whether the other can be called.

import assert from 'node:assert/strict';
import test from 'node:test';

import { startEjabberd } from './ejabberd.mjs';
import { connectSlixmpp } from './slixmpp.mjs';
import { until } from './process.mjs';
import { testWorld } from './world.mjs';
import { local } from './xmpp.mjs';

const world = testWorld({
  config: { access: { mode: 'contacts' } },
  startServer: (options) => startEjabberd({ ...options, privileged: false }),
});
let jingle; let python; let addresses;

world.before(async () => {
  const [juliet, romeo] = [await world.person('juliet'), await world.person('romeo')];
  jingle = await world.jingle(juliet);
  python = await connectSlixmpp({ server: world.server, ...romeo });
  world.closing(() => python.close());
  addresses = { juliet: world.addressOf(juliet), romeo: world.addressOf(romeo) };
});

const isPresence = (type, from) => (stanza) => (
  local(stanza) === 'presence' && (stanza.getAttribute('type') ?? '') === type
  && stanza.getAttribute('from').split('/')[0] === from
);

test('slixmpp asks, stanza.js grants, and sees her callable', async () => {
  jingle.client.on('subscribe', ({ from }) => jingle.client.acceptSubscription(from));
  python.subscribe(addresses.juliet);
  await python.next('her approval', isPresence('subscribed', addresses.juliet));
  // She is a client for calls: what she sends to his address tells what she takes.
  const presence = await python.next('that she can be called', isPresence('', addresses.juliet));
  assert.match(presence, /urn:xmpp:caps/);
});

test('stanza.js asks, slixmpp grants, and takes no calls', async () => {
  jingle.client.subscribe(addresses.romeo);
  await until('his approval', () => jingle.presences.some((presence) => (
    presence.type === 'subscribed' && presence.from === addresses.romeo
  )));
  await until('that he cannot be called', () => jingle.presences.some((presence) => (
    presence.type === 'unavailable' && presence.from.split('/')[0] === addresses.romeo
  )));
});

test('she takes it back, and is gone for him', async () => {
  jingle.client.denySubscription(addresses.romeo);
  await python.next('that it is taken back', isPresence('unsubscribed', addresses.juliet));
});
