// A stranger asks with slixmpp, through a real server: the same over every server.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';

import { parse } from 'stanza/jxt/index.js';

import { connectSlixmpp } from './slixmpp.mjs';
import { testWorld } from './world.mjs';

const WEB = 'urn:x-campana:sdp:0';
const SDP = readFileSync(new URL('../corpus/chrome156/audio.offer.sdp', import.meta.url), 'utf8')
  .replaceAll('\r\n', '&#13;\n');
const CONTENT = `<content creator='initiator' name='0'><description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'>
  <payload-type id='111' name='opus' clockrate='48000' channels='2'/></description>
  <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='abcd' pwd='abcdefghijklmnopqrstuv'/></content>`;

/** What is asked at an address. Each is followed by a ping, whose answer marks the end. */
const QUESTIONS = {
  probe: (to) => `<presence type='probe' to='${to}'/>`,
  presence: (to) => `<presence to='${to}'/>`,
  'disco#info': (to, id) => `<iq type='get' id='${id}' to='${to}'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>`,
  'disco#items': (to, id) => `<iq type='get' id='${id}' to='${to}'><query xmlns='http://jabber.org/protocol/disco#items'/></iq>`,
  peers: (to, id) => `<iq type='get' id='${id}' to='${to}'><peers xmlns='${WEB}' watch='true'/></iq>`,
  'Jingle call': (to, id) => `<iq type='set' id='${id}' to='${to}'><jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='${id}'>${CONTENT}</jingle></iq>`,
  'Jingle end': (to, id) => `<iq type='set' id='${id}' to='${to}'><jingle xmlns='urn:xmpp:jingle:1' action='session-terminate' sid='${id}'><reason><success/></reason></jingle></iq>`,
  propose: (to, id) => `<message type='chat' id='${id}' to='${to}'><propose xmlns='urn:xmpp:jingle-message:0' id='${id}'><description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'/></propose></message>`,
  'web offer': (to, id) => `<iq type='set' id='${id}' to='${to}'><session xmlns='${WEB}' sid='${id}'><offer>${SDP}</offer></session></iq>`,
  subscribe: (to) => `<presence type='subscribe' to='${to}'><nick xmlns='http://jabber.org/protocol/nick'>Mallory</nick></presence>`,
  unsubscribe: (to) => `<presence type='unsubscribe' to='${to}'/>`,
  'XEP-0215 of old': (to, id) => `<iq type='get' id='${id}' to='${to}'><services xmlns='urn:xmpp:extdisco:1'/></iq>`,
  'XEP-0215': (to, id) => `<iq type='get' id='${id}' to='${to}'><services xmlns='urn:xmpp:extdisco:2'/></iq>`,
  vCard: (to, id) => `<iq type='get' id='${id}' to='${to}'><vCard xmlns='vcard-temp'/></iq>`,
  avatar: (to, id) => `<iq type='get' id='${id}' to='${to}'><pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='urn:xmpp:avatar:metadata'/></pubsub></iq>`,
  'avatar data': (to, id) => `<iq type='get' id='${id}' to='${to}'><pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='urn:xmpp:avatar:data'><item id='x'/></items></pubsub></iq>`,
  command: (to, id) => `<iq type='set' id='${id}' to='${to}'><command xmlns='http://jabber.org/protocol/commands' node='x' action='execute'/></iq>`,
  ping: (to, id) => `<iq type='get' id='${id}' to='${to}'><ping xmlns='urn:xmpp:ping'/></iq>`,
  message: (to, id) => `<message type='chat' id='${id}' to='${to}'><body>there?</body></message>`,
};

/** @param {{startServer: Function, privileged?: boolean, readsBlocks: boolean}} options */
export function testStrangers({ startServer, privileged = true, readsBlocks }) {
  const world = testWorld({
    config: { access: { mode: 'contacts' } },
    startServer: (options) => startServer({ ...options, privileged }),
  });
  let asker; let people; let friend;

  world.before(async () => {
    const [juliet, nurse, mallory] = await Promise.all(['juliet', 'nurse', 'mallory'].map((name) => world.person(name)));
    for (const person of [juliet, nurse]) {
      const client = await world.script(person, { resource: 'page' });
      client.send(`<presence xmlns='jabber:client'/>`);
      client.send(`<presence xmlns='jabber:client' to='${world.campana.service}'><device xmlns='${WEB}' media='audio'/></presence>`);
      await client.request(`<iq type='get' to='${world.campana.service}'><device xmlns='${WEB}'/></iq>`);
      if (person !== nurse) continue;
      // She has blocked him, and sends her presence to his gateway address all the same: where
      // that can be read, it counts; elsewhere he is no contact of hers.
      const blocked = await client.request(`<iq type='set'><block xmlns='urn:xmpp:blocking'><item jid='${mallory.jid}'/></block></iq>`);
      assert.equal(blocked.getAttribute('type'), 'result', `${blocked}`);
      if (readsBlocks) client.send(`<presence xmlns='jabber:client' to='${world.addressOf(mallory)}'/>`);
      friend = client;
    }
    asker = await connectSlixmpp({ server: world.server, ...mallory });
    world.closing(() => asker.close());
    people = {
      somebody: world.addressOf(juliet),
      nobody: `${'n'.repeat(juliet.jid.indexOf('@'))}\\40${world.server.host}@${world.campana.service}`,
      'one who blocks him': world.addressOf(nurse),
    };
  });

  for (const [name, question] of Object.entries(QUESTIONS)) {
    test(`a stranger learns nothing by ${name}`, async () => {
      const answers = {};
      for (const [who, to] of Object.entries(people)) {
        const id = `${name.replaceAll(/\W/g, '')}-${Object.keys(answers).length}`;
        asker.taken();
        asker.send(question(to, id));
        // Answers about one and the same address come in order.
        asker.send(`<iq type='get' id='end-${id}' to='${to}'><ping xmlns='urn:xmpp:ping'/></iq>`);
        await asker.next('the end', (stanza) => stanza.getAttribute('id') === `end-${id}`);
        const seen = asker.taken().filter((text) => parse(text).getAttribute('from')?.includes(`@${world.campana.service}`));
        answers[who] = seen.map((text) => text.replaceAll(to, 'ADDRESS').replaceAll(id, 'ID'));
      }
      assert.deepEqual(answers.somebody, answers.nobody);
      assert.deepEqual(answers['one who blocks him'], answers.nobody);
      const isSilent = ['probe', 'presence', 'propose', 'subscribe', 'unsubscribe'].includes(name);
      assert.equal(answers.nobody.length, isSilent ? 0 : 1, JSON.stringify(answers));
    });
  }

  test('nobody whom he asked about was told to answer him', () => {
    const heard = friend.wire.filter((line) => line.startsWith('<') && line.includes('jingle'));
    assert.deepEqual(heard, []);
  });
}
