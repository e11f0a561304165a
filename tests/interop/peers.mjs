// Who can be called, as a server's people see it: the same over every server.

import assert from 'node:assert/strict';
import test from 'node:test';

import { until } from './process.mjs';
import { testWorld } from './world.mjs';
import { isPresence } from './xmpp.mjs';

const WEB = 'urn:x-campana:sdp:0';

/** @param {{startServer: Function, privileged: boolean}} options */
export function testPeers({ startServer, privileged }) {
  const world = testWorld({
    config: { access: { mode: 'contacts' } },
    startServer: (options) => startServer({ ...options, privileged }),
  });
  let juliet; let romeo; let page; let peer;

  const announce = async (client, media = 'audio') => {
    client.send(`<presence xmlns='jabber:client'/>`);
    client.send(`<presence xmlns='jabber:client' to='${world.campana.service}'><device xmlns='${WEB}' media='${media}'/></presence>`);
    const reply = await client.request(`<iq type='get' to='${world.campana.service}'><device xmlns='${WEB}'/></iq>`);
    assert.equal(reply.getAttribute('type'), 'result', `${reply}`);
  };
  /** What was last pushed of each person. */
  const seen = new Map();
  const isPush = (iq) => iq.getAttribute('type') === 'set' && iq.getChild('peers', WEB);
  const note = (iq) => {
    for (const one of iq.getChild('peers', WEB).getChildren('peer')) seen.set(one.getAttribute('jid'), one);
    return '';
  };
  /** Waits until the list says so of that person. */
  const sees = (what, person, is, patience = 10_000) => until(what, () => {
    const found = seen.get(person.jid);
    return found && is((name) => found.getAttribute(name)) && found;
  }, { within: patience, every: 10 }).catch((error) => {
    throw new Error(`${error.message}; seen: ${seen.get(person.jid)}\n${page.wire.slice(-12).join('\n')}`);
  });

  world.before(async () => {
    [juliet, romeo] = [await world.person('juliet'), await world.person('romeo')];
    page = await world.script(juliet, { resource: 'page' });
    page.answer(isPush, note);
    page.answer((iq) => iq.getChild('device', WEB) && iq.getAttribute('type') === 'get', () => (
      `<device xmlns='${WEB}' media='audio video'/>`
    ));
    // Prosody tells of subscriptions only those who have asked for the roster (RFC 6121 §2.2).
    await page.request(`<iq type='get'><query xmlns='jabber:iq:roster'/></iq>`);
    await announce(page, 'audio video');
    peer = await world.script(romeo, { resource: 'home' });
    peer.send(`<presence xmlns='jabber:client'/>`);
  });

  test('nobody is on the list of one who has no contacts', async () => {
    const reply = await page.request(`<iq type='get' to='${world.campana.service}'><peers xmlns='${WEB}' watch='true'/></iq>`);
    assert.equal(reply.getAttribute('type'), 'result', `${reply}`);
    assert.deepEqual(reply.getChild('peers').getChildren('peer'), []);
  });

  test('a subscription to a gateway address makes a contact, who appears and leaves', async () => {
    const [hers, his] = [world.addressOf(juliet), world.addressOf(romeo)];
    page.send(`<presence xmlns='jabber:client' type='subscribe' to='${his}'/>`);
    await peer.next('her request', isPresence('subscribe', hers));
    peer.send(`<presence xmlns='jabber:client' type='subscribed' to='${hers}'/>`);
    await page.next('his approval', isPresence('subscribed', his));
    const desk = await world.script(romeo, { resource: 'desk' });
    await announce(desk, 'audio');
    const found = await sees('he can be called', romeo, (attr) => attr('media') === 'audio');
    assert.equal(found.getAttribute('address'), his);
    assert.equal(found.getAttribute('show'), 'available');
    await desk.close();
    // The other client of his is there, and takes no calls.
    await sees('he is there, and no more', romeo, (attr) => attr('show') === 'available' && !attr('media'));
  });

  test('a component that attaches later learns who is there', async () => {
    await world.campana.stop();
    // He leaves and comes again while nobody looks.
    await peer.close();
    peer = await world.script(romeo, { resource: 'balcony' });
    peer.answer((iq) => iq.getChild('query', 'http://jabber.org/protocol/disco#info'), (iq) => (
      `<query xmlns='http://jabber.org/protocol/disco#info' node='${iq.getChild('query').getAttribute('node') ?? ''}'>`
      + ["<identity category='client' type='phone' name='Test'/>", ...FEATURES.map((feature) => `<feature var='${feature}'/>`)].join('')
      + '</query>'
    ));
    peer.send(`<presence xmlns='jabber:client'><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='urn:test' ver='unverified'/></presence>`);
    seen.clear();
    world.campana.boot();
    await world.campana.ready();
    // The page's watch goes on, and his server is probed in her name.
    await sees('he is there', romeo, (attr) => attr('media') === 'audio', 20_000);
    // He may see her still, and she him.
    const reply = await page.request(`<iq type='get' to='${world.addressOf(romeo)}'><ping xmlns='urn:xmpp:ping'/></iq>`);
    assert.equal(reply.getAttribute('type'), 'result', `${reply}`);
  });

  test('he leaves, and is gone from the list', async () => {
    await peer.close();
    await sees('he has left', romeo, (attr) => attr('show') === 'unavailable');
  });
}

const FEATURES = [
  'urn:xmpp:jingle:1', 'urn:xmpp:jingle:apps:rtp:1', 'urn:xmpp:jingle:apps:rtp:audio',
  'urn:xmpp:jingle:transports:ice-udp:1', 'urn:xmpp:jingle-message:0',
];
