// Who may call whom, as shipped: contacts, whom the server's rosters name (XEP-0356).

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';

import { testWorld } from './world.mjs';
import { errorOf, local } from './xmpp.mjs';

const WEB = 'urn:x-campana:sdp:0';
const SDP = readFileSync(new URL('../corpus/chrome156/audio.offer.sdp', import.meta.url), 'utf8')
  .replaceAll('\r\n', '&#13;\n');
const world = testWorld({ config: { access: { mode: 'contacts' } } });
let juliet; let nurse; let mallory; let page; let address;

world.before(async () => {
  [juliet, nurse, mallory] = await Promise.all(['juliet', 'nurse', 'mallory'].map((name) => world.person(name)));
  await world.befriend(juliet, nurse);
  page = await world.script(juliet, { resource: 'page' });
  page.send(`<presence xmlns='jabber:client'/>`);
  page.send(`<presence xmlns='jabber:client' to='${world.campana.service}'><device xmlns='${WEB}' media='audio'/></presence>`);
  await page.request(`<iq type='get' to='${world.campana.service}'><device xmlns='${WEB}'/></iq>`);
  address = world.addressOf(juliet);
});

const place = (client, to) => client.request(
  `<iq type='set' to='${to}'><session xmlns='${WEB}' sid='s-${to.length}'><offer>${SDP}</offer></session></iq>`,
);

test('a contact calls and it rings', async () => {
  const caller = await world.script(nurse);
  caller.send(`<presence xmlns='jabber:client'/>`);
  const reply = await place(caller, address);
  assert.equal(reply.getAttribute('type'), 'result', `${reply}`);
  await page.next('the propose', (stanza) => local(stanza) === 'iq' && stanza.getChild('session', WEB)?.getChild('propose'));
});

test('a stranger learns nothing, not even whether there is somebody', async () => {
  const stranger = await world.script(mallory);
  const nobody = `nobody\\40${world.server.host}@${world.campana.service}`;
  for (const ask of [
    (to) => place(stranger, to),
    (to) => stranger.request(`<iq type='get' to='${to}'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>`),
    (to) => stranger.request(`<iq type='get' to='${to}'><ping xmlns='urn:xmpp:ping'/></iq>`),
  ]) {
    const [somebody, none] = [errorOf(await ask(address)), errorOf(await ask(nobody))];
    assert.deepEqual(somebody.conditions, ['service-unavailable']);
    assert.deepEqual(somebody, none);
  }
});

test('the server itself hands out our ICE servers where it delegates the question', async () => {
  const client = await world.script(nurse, { resource: 'desk' });
  for (const ns of ['urn:xmpp:extdisco:2', 'urn:xmpp:extdisco:1']) {
    const reply = await client.request(`<iq type='get' to='${world.server.host}'><services xmlns='${ns}'/></iq>`);
    assert.equal(reply.getAttribute('type'), 'result', `${reply}`);
    const kinds = reply.getChild('services').getChildren('service').map((service) => service.getAttribute('type'));
    assert.ok(kinds.includes('stun') && kinds.includes('turn'), `${reply}`);
  }
});
