// A device that carries its calls lends its voice to the service alone, and for calls alone.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import test from 'node:test';

import { testWorld } from './world.mjs';
import { errorOf } from './xmpp.mjs';

const world = testWorld();
const WEB_DIR = path.resolve(import.meta.dirname, '../../web');
const WEB = 'urn:x-campana:sdp:0';
const wrapped = (inner) => `<carried xmlns='${WEB}'><forwarded xmlns='urn:xmpp:forward:0'>${inner}</forwarded></carried>`;
const RINGING = `<ringing xmlns='urn:xmpp:jingle-message:0' id='a'/>`;
const PROPOSE = `<propose xmlns='urn:xmpp:jingle-message:0' id='a'><description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'/></propose>`;

test('a stranger makes it send nothing', async () => {
  const [juliet, nurse, mallory] = await Promise.all(['juliet', 'nurse', 'mallory'].map((name) => world.person(name)));
  const page = await world.page(juliet, { carry: true });
  const victim = await world.script(nurse);
  victim.send(`<presence xmlns='jabber:client'/>`);
  const stranger = await world.script(mallory);
  const to = await page.jid();
  for (const inner of [
    `<message xmlns='jabber:client' type='chat' to='${nurse.jid}'><body>pay mallory</body></message>`,
    `<message xmlns='jabber:client' type='chat' to='${nurse.jid}'>${PROPOSE}</message>`,
    `<iq xmlns='jabber:client' type='set' id='x' to='${nurse.jid}'><jingle xmlns='urn:xmpp:jingle:1' action='session-terminate' sid='a'/></iq>`,
  ]) {
    const reply = await stranger.request(`<iq type='set' to='${to}'>${wrapped(inner)}</iq>`);
    assert.deepEqual(errorOf(reply).conditions, ['service-unavailable'], `${reply}`);
  }
  // Stanzas stay in order: whatever it had sent would have come before this.
  await page.dial(nurse.jid);
  const call = await victim.next('a call', (stanza) => `${stanza}`.includes('jingle-message'));
  assert.doesNotMatch(`${call}`, /id=.a.[ >]/);
  const got = victim.wire.filter((line) => line.startsWith('< <message') || line.includes('urn:xmpp:jingle:1'));
  assert.equal(got.length, 1, got.join('\n'));
  await page.close();
});

test('even the service makes it send nothing but calls', async () => {
  const page = await pageWithCourier();
  const said = (from, inner) => page.page.evaluate(async ([sender, xml]) => {
    const out = [];
    const parse = (text) => new DOMParser().parseFromString(text, 'text/xml').documentElement;
    const courier = new globalThis.lib.Courier({
      listen() {},
      send: (stanza) => out.push(`sent ${stanza.localName}`),
      request: async (to, type, payload) => out.push(`sent iq ${payload.localName} ${to}`),
      reply: (iq, error) => out.push(error ? `refused ${error.firstElementChild.localName}` : 'done'),
    }, 'call.example.org');
    await courier.send(parse(`<iq xmlns='jabber:client' type='set' id='i' from='${sender}'>${xml}</iq>`));
    await new Promise((resolve) => setTimeout(resolve));
    return out;
  }, [from, wrapped(inner)]);
  const message = (inside) => `<message xmlns='jabber:client' type='chat' to='romeo@example.net'>${inside}</message>`;
  const iq = (type, inside) => `<iq xmlns='jabber:client' type='${type}' id='x' to='romeo@example.net/a'>${inside}</iq>`;
  const jingle = `<jingle xmlns='urn:xmpp:jingle:1' action='session-terminate' sid='a'/>`;
  const service = 'call.example.org';

  assert.deepEqual(await said(service, message(PROPOSE)), ['sent message', 'done']);
  assert.deepEqual(await said(service, message(`${PROPOSE}<store xmlns='urn:xmpp:hints'/>`)), ['sent message', 'done']);
  assert.deepEqual(await said(service, iq('set', jingle)), ['sent iq jingle romeo@example.net/a', 'done']);
  for (const [from, inner] of [
    ['x@call.example.org', message(PROPOSE)],
    ['call.example.org/x', message(PROPOSE)],
    ['call.example.org.evil.example', iq('set', jingle)],
    [service, message('<body>pay mallory</body>')],
    [service, message(`${PROPOSE}<body>pay mallory</body>`)],
    [service, message(`<body>pay mallory</body>${PROPOSE}`)],
    [service, iq('get', jingle)],
    [service, iq('set', `<query xmlns='jabber:iq:roster'><item jid='romeo@example.net' subscription='remove'/></query>`)],
    [service, `<presence xmlns='jabber:client' type='unsubscribed' to='romeo@example.net'>${PROPOSE}</presence>`],
    [service, `<message xmlns='jabber:client' type='chat'>${PROPOSE}</message>`],
    [service, ''],
  ]) {
    assert.deepEqual(await said(from, inner), ['refused bad-request'], `${from}: ${inner}`);
  }
  await page.close();
});

test('a carbon that was held back is handed in', async () => {
  const page = await pageWithCourier();
  const word = `<message xmlns='jabber:client' from='romeo@example.net/a' to='juliet@example.org'>${RINGING}</message>`;
  const carbon = (stamp) => `<message xmlns='jabber:client' from='juliet@example.org' to='juliet@example.org/web'>
    <received xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>${stamp}${word}</forwarded></received></message>`;
  const handedIn = await page.page.evaluate(async (messages) => {
    const out = [];
    let hear;
    const courier = new globalThis.lib.Courier({
      jid: 'juliet@example.org/web',
      listen(listener, name) {
        if (name === 'message') hear = listener;
      },
      request: async (to, type, payload) => out.push(payload.querySelector('ringing').getAttribute('id')),
    }, 'call.example.org', () => {});
    for (const xml of messages) hear(new DOMParser().parseFromString(xml, 'text/xml').documentElement);
    return courier && out;
  }, [carbon(''), carbon(`<delay xmlns='urn:xmpp:delay' stamp='2024-02-03T04:05:06Z'/>`)]);
  assert.deepEqual(handedIn, ['a', 'a']);
  await page.close();
});

/** A page that has the courier alone, as `lib`. */
async function pageWithCourier() {
  const bundle = execFileSync(path.join(WEB_DIR, 'node_modules/.bin/esbuild'), [
    'courier.js', '--bundle', '--format=iife', '--global-name=lib', '--log-level=warning',
  ], { cwd: WEB_DIR, encoding: 'utf8' });
  const page = await world.page();
  await page.page.evaluate(`${bundle}; globalThis.lib = lib;`);
  return page;
}
