// What any user can make a server deliver costs one stanza, never the link.

import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';

import { PEER_TONE, connectPageToPeer, expectPeerEnded } from './expect.mjs';
import { until } from './process.mjs';
import { testWorld } from './world.mjs';
import { errorOf } from './xmpp.mjs';

const INFO = `<query xmlns='http://jabber.org/protocol/disco#info'/>`;
const world = testWorld();
let service; let address; let attacker; let link; let pid;

world.before(async () => {
  service = world.campana.service;
  const juliet = await world.person('juliet');
  address = world.addressOf(juliet);
  attacker = await world.script(await world.person('mallory'));
  link = world.campana.link();
  pid = world.campana.pid;
  assert.notEqual(link, '');
});

/** The service answers, on the same connection and in the same process. */
async function alive() {
  const reply = await attacker.request(`<iq type='get' to='${service}'>${INFO}</iq>`);
  assert.equal(reply.getAttribute('type'), 'result', `${reply}`);
  assert.equal(world.campana.link(), link, 'the same link');
  assert.ok(world.campana.running && world.campana.pid === pid, 'the same process');
}

afterEach(alive);

const both = (send) => {
  for (const to of [service, address]) send(to);
};

test('a presence of priority 900', () => {
  both((to) => attacker.send(`<presence xmlns='jabber:client' to='${to}'><priority>900</priority></presence>`));
});

test('a presence of an unknown type, show and language', () => {
  both((to) => attacker.send(
    `<presence xmlns='jabber:client' to='${to}' xml:lang='not a language'><show>asleep</show><show/></presence>`,
  ));
});

test('an attribute of 20 kB', async () => {
  const long = 'x'.repeat(20_000);
  both((to) => attacker.send(`<presence xmlns='jabber:client' to='${to}' id='p'><x xmlns='urn:x' a='${long}'/></presence>`));
  const reply = await attacker.request(`<iq type='get' to='${service}'><x xmlns='urn:x' a='${long}'/></iq>`);
  assert.equal(reply.getAttribute('type'), 'error');
});

test('a text of 200 kB', async () => {
  const reply = await attacker.request(`<iq type='get' to='${service}'><x xmlns='urn:x'>${'y'.repeat(200_000)}</x></iq>`);
  assert.equal(reply.getAttribute('type'), 'error');
});

test('more attributes than anyone needs', async () => {
  const many = Array.from({ length: 300 }, (_, i) => ` a${i}=''`).join('');
  const reply = await attacker.request(`<iq type='get' to='${service}'><x xmlns='urn:x'${many}/></iq>`);
  assert.ok(errorOf(reply).conditions.includes('policy-violation'), `${reply}`);
});

test('900 nested elements', async () => {
  const deep = `<x xmlns='urn:x'>${'<y>'.repeat(900)}${'</y>'.repeat(900)}</x>`;
  const reply = await attacker.request(`<iq type='get' to='${service}'>${deep}</iq>`);
  assert.ok(errorOf(reply).conditions.includes('bad-request'), `${reply}`);
  both((to) => attacker.send(`<message xmlns='jabber:client' to='${to}'>${deep}</message>`));
});

test('an IQ without payload, with two, and of an odd type', async () => {
  for (const [type, payload] of [['get', ''], ['set', ''], ['set', `<x xmlns='urn:x'/>${INFO}`]]) {
    const reply = await attacker.request(`<iq type='${type}' to='${service}'>${payload}</iq>`);
    assert.equal(reply.getAttribute('type'), 'error', `${reply}`);
  }
});

test('results and errors for what nobody asked', () => {
  both((to) => {
    attacker.send(`<iq xmlns='jabber:client' type='result' id='1' to='${to}'><x xmlns='urn:x'/><y xmlns='urn:y'/></iq>`);
    attacker.send(`<iq xmlns='jabber:client' type='error' id='1' to='${to}'/>`);
    attacker.send(`<iq xmlns='jabber:client' type='error' id='2' to='${to}'><error type='odd'><x xmlns='urn:x'><z/></x></error></iq>`);
    attacker.send(`<message xmlns='jabber:client' type='error' to='${to}'><error/></message>`);
    attacker.send(`<presence xmlns='jabber:client' type='error' to='${to}'><error/></presence>`);
  });
});

test('messages of all kinds', () => {
  both((to) => {
    attacker.send(`<message xmlns='jabber:client' type='bogus' to='${to}'><body/></message>`);
    attacker.send(`<message xmlns='jabber:client' to='${to}'><propose xmlns='urn:xmpp:jingle-message:0'/></message>`);
    attacker.send(`<message xmlns='jabber:client' to='${to}'><propose xmlns='urn:xmpp:jingle-message:0' id=''><description/></propose></message>`);
  });
});

test('a session of the browser protocol that says nothing', async () => {
  for (const payload of [
    `<session xmlns='urn:x-campana:sdp:0'/>`,
    `<session xmlns='urn:x-campana:sdp:0' sid='s'/>`,
    `<session xmlns='urn:x-campana:sdp:0' sid='s'><offer>not SDP</offer></session>`,
    `<session xmlns='urn:x-campana:sdp:0' sid='s'><ringing/><proceed/></session>`,
    `<session xmlns='urn:x-campana:sdp:0' sid='s'><answer>v=0</answer></session>`,
  ]) {
    const reply = await attacker.request(`<iq type='set' to='${address}'>${payload}</iq>`);
    assert.equal(reply.getAttribute('type'), 'error', `${payload}: ${reply}`);
  }
});

test('a Jingle request that means nothing', async () => {
  for (const payload of [
    `<jingle xmlns='urn:xmpp:jingle:1'/>`,
    `<jingle xmlns='urn:xmpp:jingle:1' action='session-accept' sid='unknown'/>`,
    `<jingle xmlns='urn:xmpp:jingle:1' action='dance' sid='unknown'/>`,
    `<jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='a&#xD;&#xA;b'><content name='&#xD;&#xA;a=x' creator='initiator'/></jingle>`,
  ]) {
    const reply = await attacker.request(`<iq type='set' to='${address}'>${payload}</iq>`);
    assert.equal(reply.getAttribute('type'), 'error', `${payload}: ${reply}`);
  }
});

test('comments, processing instructions, entities: the server ends the sender', async () => {
  for (const xml of [
    `<message xmlns='jabber:client' to='${service}'><!-- x --><body/></message>`,
    `<message xmlns='jabber:client' to='${service}'><?x y?><body/></message>`,
    `<message xmlns='jabber:client' to='${service}'><body>&undefined;</body></message>`,
    `<message xmlns='jabber:client' to='${service}'><body>&#0;</body></message>`,
    `<message xmlns='jabber:client' to='${service}'><body></message>`,
    `<message xmlns='jabber:client' from='someone@else.example' to='${service}'><body/></message>`,
  ]) {
    const sender = await world.script(await world.person('mallory'));
    sender.send(xml);
    await until('the server answered or ended the stream', () => (
      sender.closed || sender.wire.some((line) => /^< .*(stream:error|<close)/.test(line))
    ), { within: 3000 }).catch(() => {}); // Delivered, then: Campana's turn.
    await alive();
  }
});

test('after all that a call works', async () => {
  const romeo = await world.person('romeo');
  const jingle = await world.jingle(romeo);
  const page = await world.page(await world.person('juliet'));
  const call = await connectPageToPeer(world, page, jingle, romeo);
  await until('the page hears', async () => await page.tone(PEER_TONE) > 0.5);
  await page.hangUp();
  await expectPeerEnded(call, 'success');
});
