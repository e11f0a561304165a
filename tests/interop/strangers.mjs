// A stranger asks with slixmpp, through a real server: the same over every server.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';

import { parse } from 'stanza/jxt/index.js';

import { connectSlixmpp } from './slixmpp.mjs';
import { testWorld } from './world.mjs';
import { isPresence } from './xmpp.mjs';

const WEB = 'urn:x-campana:sdp:0';
const SDP = readFileSync(new URL('../corpus/chrome156/audio.offer.sdp', import.meta.url), 'utf8')
  .replaceAll('\r\n', '&#13;\n');
const CONTENT = `<content creator='initiator' name='0'><description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'>
  <payload-type id='111' name='opus' clockrate='48000' channels='2'/></description>
  <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='abcd' pwd='abcdefghijklmnopqrstuv'/></content>`;

/** An IQ of that type with this payload. */
const iq = (type, payload) => (to, id) => `<iq type='${type}' id='${id}' to='${to}'>${payload}</iq>`;

/**
 * What is asked at an address. Each is followed by a ping, whose answer marks the end. `caps` is the node
 * of what gateway addresses really have as caps: the stranger has seen it elsewhere.
 */
const QUESTIONS = {
  probe: (to) => `<presence type='probe' to='${to}'/>`,
  presence: (to) => `<presence to='${to}'/>`,
  'disco#info': (to, id) => `<iq type='get' id='${id}' to='${to}'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>`,
  'disco#info of real caps': (to, id, caps) => iq('get', `<query xmlns='http://jabber.org/protocol/disco#info' node='${caps}'/>`)(to, id),
  'disco#info of real caps at a resource': (to, id, caps) => iq('get', `<query xmlns='http://jabber.org/protocol/disco#info' node='${caps}'/>`)(`${to}/campana`, id),
  'disco#info of other caps': iq('get', `<query xmlns='http://jabber.org/protocol/disco#info' node='urn:x-campana:caps#other'/>`),
  'disco#info at a resource': (to, id) => iq('get', `<query xmlns='http://jabber.org/protocol/disco#info'/>`)(`${to}/campana`, id),
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
  nick: iq('get', `<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='http://jabber.org/protocol/nick'/></pubsub>`),
  version: iq('get', `<query xmlns='jabber:iq:version'/>`),
  'last activity': iq('get', `<query xmlns='jabber:iq:last'/>`),
  time: iq('get', `<time xmlns='urn:xmpp:time'/>`),
  'an unknown question': iq('get', `<what xmlns='urn:example:unknown'/>`),
  'an unknown order': iq('set', `<do xmlns='urn:example:unknown'/>`),
  'two questions at once': iq('get', `<ping xmlns='urn:xmpp:ping'/><ping xmlns='urn:xmpp:ping'/>`),
  subscribed: (to) => `<presence type='subscribed' to='${to}'/>`,
  unsubscribed: (to) => `<presence type='unsubscribed' to='${to}'/>`,
  'presence with caps': (to, id, caps) => `<presence to='${to}'><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='${caps.split('#')[0]}' ver='${caps.split('#')[1]}'/></presence>`,
  unavailable: (to) => `<presence type='unavailable' to='${to}'/>`,
  proceed: (to, id) => `<message type='chat' id='${id}' to='${to}'><proceed xmlns='urn:xmpp:jingle-message:0' id='${id}'/></message>`,
  retract: (to, id) => `<message type='chat' id='${id}' to='${to}'><retract xmlns='urn:xmpp:jingle-message:0' id='${id}'/></message>`,
  message: (to, id) => `<message type='chat' id='${id}' to='${to}'><body>there?</body></message>`,
};

/** @param {{startServer: Function, privileged?: boolean, readsBlocks: boolean}} options */
export function testStrangers({ startServer, privileged = true, readsBlocks }) {
  const world = testWorld({
    config: { access: { mode: 'contacts' } },
    startServer: (options) => startServer({ ...options, privileged }),
  });
  let asker; let people; let friend; let caps;

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
      // Her own gateway address tells her what it has as caps.
      client.send(`<presence xmlns='jabber:client' to='${world.addressOf(nurse)}'/>`);
      const shown = await client.next('her own presence', (stanza) => (
        isPresence('', world.addressOf(nurse))(stanza) && stanza.getChild('c', 'http://jabber.org/protocol/caps')
      ));
      const c = shown.getChild('c', 'http://jabber.org/protocol/caps');
      caps = `${c.getAttribute('node')}#${c.getAttribute('ver')}`;
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
        asker.send(question(to, id, caps));
        // Answers about one and the same address come in order.
        asker.send(`<iq type='get' id='end-${id}' to='${to}'><ping xmlns='urn:xmpp:ping'/></iq>`);
        await asker.next('the end', (stanza) => stanza.getAttribute('id') === `end-${id}`);
        const seen = asker.taken().filter((text) => parse(text).getAttribute('from')?.includes(`@${world.campana.service}`));
        answers[who] = seen.map((text) => text.replaceAll(to, 'ADDRESS').replaceAll(id, 'ID'));
      }
      assert.deepEqual(answers.somebody, answers.nobody);
      assert.deepEqual(answers['one who blocks him'], answers.nobody);
      assert.equal(answers.nobody.length, SILENT.includes(name) ? 0 : 1, JSON.stringify(answers));
    });
  }

  for (const name of TIMED) {
    test(`nor by how long it takes to answer ${name}`, async (t) => {
      const took = Object.fromEntries(Object.keys(people).map((who) => [who, []]));
      // In turns, so that whatever else happens happens to all alike.
      for (let round = 0; round < ROUNDS; round += 1) {
        for (const [who, to] of Object.entries(people)) {
          const id = `time-${name.replaceAll(/\W/g, '')}-${who.replaceAll(' ', '')}-${round}`;
          const isAnswer = (stanza) => stanza.getAttribute('id') === id;
          took[who].push(await asker.time(QUESTIONS[name](to, id, caps), 'the answer', isAnswer));
        }
      }
      const medians = Object.fromEntries(Object.entries(took).map(([who, times]) => [who, median(times)]));
      t.diagnostic(JSON.stringify(medians));
      for (const [who, time] of Object.entries(medians)) {
        const apart = Math.abs(time - medians.nobody);
        assert.ok(apart < Math.max(3, medians.nobody / 2), `${who}: ${JSON.stringify(medians)} ms`);
      }
    });
  }

  test('nobody whom he asked about was told to answer him', () => {
    const heard = friend.wire.filter((line) => line.startsWith('<') && line.includes('jingle'));
    assert.deepEqual(heard, []);
  });
}

/** Questions that get no answer. */
const SILENT = [
  'probe', 'presence', 'presence with caps', 'unavailable', 'propose', 'proceed', 'retract',
  'subscribe', 'subscribed', 'unsubscribe', 'unsubscribed',
];
/** Those of whose answers the time is taken. */
const TIMED = ['ping', 'disco#info', 'disco#info of real caps', 'vCard', 'Jingle end'];
const ROUNDS = 30;

const median = (times) => times.toSorted((one, other) => one - other)[times.length >> 1];
