// An IM client finds out who can be called: disco, caps, presence under subscription.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';

import { testWorld } from './world.mjs';
import { isPresence, local } from './xmpp.mjs';

const INFO = 'http://jabber.org/protocol/disco#info';
const CAPS = 'http://jabber.org/protocol/caps';
const CALL_FEATURES = [
  'urn:xmpp:jingle:1', 'urn:xmpp:jingle-message:0', 'urn:xmpp:jingle:apps:rtp:1',
  'urn:xmpp:jingle:apps:rtp:audio', 'urn:xmpp:jingle:apps:rtp:video',
  'urn:xmpp:jingle:transports:ice-udp:1', 'urn:xmpp:jingle:apps:dtls:0',
];
const world = testWorld();
let juliet; let romeo; let script; let address;

world.before(async () => {
  [juliet, romeo] = [await world.person('juliet'), await world.person('romeo')];
  await world.page(juliet);
  address = world.addressOf(juliet);
  script = await world.script(romeo);
  script.send(`<presence xmlns='jabber:client'/>`);
});

async function info(client, to, node) {
  const reply = await client.request(`<iq type='get' to='${to}'><query xmlns='${INFO}'${node ? ` node='${node}'` : ''}/></iq>`);
  assert.equal(reply.getAttribute('type'), 'result', `${reply}`);
  const children = reply.getChild('query').children.filter((child) => typeof child !== 'string');
  return {
    identities: children.filter((child) => local(child) === 'identity').map((child) => child.attributes),
    features: children.filter((child) => local(child) === 'feature').map((child) => child.getAttribute('var')),
  };
}

/** XEP-0115 §5.1, for an entity without forms. */
function verification({ identities, features }) {
  const text = [
    ...identities.map((i) => `${i.category}/${i.type}/${i['xml:lang'] ?? ''}/${i.name ?? ''}`).sort(),
    ...[...features].sort(),
  ].map((part) => `${part}<`).join('');
  return createHash('sha1').update(text).digest('base64');
}

test('the service says what it is', async () => {
  const { identities, features } = await info(script, world.campana.service);
  assert.ok(identities.length > 0);
  for (const feature of [INFO, 'urn:x-campana:sdp:0', 'urn:xmpp:extdisco:2']) {
    assert.ok(features.includes(feature), `${feature} in ${features}`);
  }
});

test('a gateway address says what calls it takes', async () => {
  const { features } = await info(script, address);
  for (const feature of CALL_FEATURES) assert.ok(features.includes(feature), `${feature} in ${features}`);
});

test('a subscription is approved by the person herself, and then shows whether she can be called', async () => {
  const home = await world.script(juliet, { resource: 'home' });
  home.send(`<presence xmlns='jabber:client'/>`);
  script.send(`<presence xmlns='jabber:client' type='subscribe' to='${address}'/>`);
  const asker = world.addressOf(romeo);
  await home.next('the request', isPresence('subscribe', asker));
  home.send(`<presence xmlns='jabber:client' type='subscribed' to='${asker}'/>`);
  await script.next('the approval', isPresence('subscribed', address));
  await expectCallable(script);
});

test('contacts need no further approval', async () => {
  const nurse = await world.person('nurse');
  await world.befriend(juliet, nurse);
  const contact = await world.script(nurse);
  contact.send(`<presence xmlns='jabber:client'/>`);
  contact.send(`<presence xmlns='jabber:client' type='subscribe' to='${address}'/>`);
  await expectCallable(contact);
});

test('a person whose localpart is escaped itself is found at her gateway address', async () => {
  const musketeer = await world.person('d\\27artagnan');
  // XEP-0106 §4.2: a backslash that would read as an escape is escaped.
  const own = `${musketeer.jid.replace('\\27', '\\5c27').replace('@', '\\40')}@${world.campana.service}`;
  const before = await info(script, own);
  assert.ok(!before.features.includes('urn:xmpp:jingle:1'), `${before.features}`);
  await world.page(musketeer);
  const { features } = await info(script, own);
  for (const feature of CALL_FEATURES) assert.ok(features.includes(feature), `${feature} in ${features}`);
  // Who is asked by her sees that address, and answers there.
  const guest = await world.script(musketeer, { resource: 'desk' });
  // First, since who is not available is not sent what comes of it.
  guest.send(`<presence xmlns='jabber:client'/>`);
  guest.send(`<presence xmlns='jabber:client' type='subscribe' to='${world.addressOf(romeo)}'/>`);
  await script.next('her request', isPresence('subscribe', own));
  script.send(`<presence xmlns='jabber:client' type='subscribed' to='${own}'/>`);
  await guest.next('his approval', isPresence('subscribed', world.addressOf(romeo)));
});

/** Presence of the gateway address arrives, and its caps are those of the disco answer. */
async function expectCallable(client) {
  const presence = await client.next('presence of the gateway address', (stanza) => (
    local(stanza) === 'presence' && !stanza.getAttribute('type')
    && stanza.getAttribute('from').split('/')[0] === address && stanza.getChild('c', CAPS)
  ));
  const caps = presence.getChild('c', CAPS);
  const node = `${caps.getAttribute('node')}#${caps.getAttribute('ver')}`;
  const answer = await info(client, presence.getAttribute('from'), node);
  assert.equal(caps.getAttribute('ver'), verification(answer));
  for (const feature of CALL_FEATURES) assert.ok(answer.features.includes(feature), `${feature}`);
}
