// Two real clients, stanza.js and slixmpp, and a server that grants Campana nothing: each subscribes
// to the other's gateway address and sees whether the other can be called, and what she says of
// herself. The same over every server.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';

import { parse } from 'stanza/jxt/index.js';

import { connectSlixmpp } from './slixmpp.mjs';
import { until } from './process.mjs';
import { testWorld } from './world.mjs';
import { isPresence } from './xmpp.mjs';

/** @param {{startServer: Function}} options */
export function testSubscriptions({ startServer }) {
  const world = testWorld({
    config: { access: { mode: 'contacts' } },
    startServer: (options) => startServer({ ...options, privileged: false }),
  });
  let people; let jingle; let python; let pen; let addresses;

  /** Publishes an avatar of the client's person, and gives its id (XEP-0084 §3). */
  const publishAvatar = async (pen, picture) => {
    const id = createHash('sha1').update(picture).digest('hex');
    const data = Buffer.from(picture).toString('base64');
    for (const [kind, item] of [
      ['data', `<data xmlns='urn:xmpp:avatar:data'>${data}</data>`],
      ['metadata', `<metadata xmlns='urn:xmpp:avatar:metadata'><info bytes='${picture.length}' id='${id}' type='image/png'/></metadata>`],
    ]) {
      const reply = await pen.request(`<iq type='set'><pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='urn:xmpp:avatar:${kind}'><item id='${id}'>${item}</item></publish></pubsub></iq>`);
      assert.equal(reply.getAttribute('type'), 'result', `${reply}`);
    }
    return id;
  };

  world.before(async () => {
    const [juliet, romeo] = [await world.person('juliet'), await world.person('romeo')];
    jingle = await world.jingle(juliet);
    // For what stanza.js has no words for.
    pen = await world.script(juliet, { resource: 'pen' });
    python = await connectSlixmpp({ server: world.server, ...romeo });
    world.closing(() => python.close());
    people = { juliet, romeo };
    addresses = { juliet: world.addressOf(juliet), romeo: world.addressOf(romeo) };
  });

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

  test('he sees her vCard and her avatar at her gateway address', async () => {
    const vcard = await pen.request(`<iq type='set'><vCard xmlns='vcard-temp'><FN>Juliet Capulet</FN></vCard></iq>`);
    assert.equal(vcard.getAttribute('type'), 'result', `${vcard}`);
    const id = await publishAvatar(pen, 'not really a picture');
    const ask = async (name, payload) => {
      python.send(`<iq type='get' id='${name}' to='${addresses.juliet}'>${payload}</iq>`);
      return python.next(`the answer about her ${name}`, (stanza) => stanza.getAttribute('id') === name);
    };
    const items = (node, item = '') => (
      `<pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='${node}'>${item}</items></pubsub>`
    );
    assert.match(await ask('vCard', `<vCard xmlns='vcard-temp'/>`), /type="result".*<FN>Juliet Capulet<\/FN>/s);
    assert.match(await ask('metadata', items('urn:xmpp:avatar:metadata')), new RegExp(`type="result".*id="${id}"`, 's'));
    const data = await ask('data', items('urn:xmpp:avatar:data', `<item id='${id}'/>`));
    assert.ok(data.includes(Buffer.from('not really a picture').toString('base64')), data);
  });

  test('his server tells her gateway address of his new avatar, and she hears it from his', async () => {
    // Only who is available is told (XEP-0163 §4.3.3), and she alone is callable.
    const own = await world.script(people.romeo, { resource: 'pen' });
    own.send(`<presence xmlns='jabber:client'/>`);
    await own.next('her presence', isPresence('', addresses.juliet));
    const id = await publishAvatar(own, 'one of his');
    await until('his avatar', () => jingle.wire.some((line) => (
      line.startsWith('< <message') && line.includes('urn:xmpp:avatar:metadata') && line.includes(id)
      && parse(line.slice(2)).getAttribute('from') === addresses.romeo
    )));
  });

  test('she takes it back, and is gone for him', async () => {
    jingle.client.denySubscription(addresses.romeo);
    await python.next('that it is taken back', isPresence('unsubscribed', addresses.juliet));
  });
}
