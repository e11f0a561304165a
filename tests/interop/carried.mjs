// Calls at people's own addresses, which their pages carry. For a server of either kind.

import assert from 'node:assert/strict';
import test from 'node:test';

import { PAGE_TONE, PEER_TONE, expectPageEnded, expectPeerEnded, expectSoundBothWays } from './expect.mjs';
import { until } from './process.mjs';
import { testWorld } from './world.mjs';

/** @param {Function} [startServer] ejabberd if not given */
export function carriedCalls(startServer) {
  const world = testWorld({ startServer });
  const people = async () => [await world.person('juliet'), await world.person('romeo')];

  test('a page calls a page, whose other tab learns of it', async () => {
    const [juliet, romeo] = await people();
    const caller = await world.page(juliet, { tone: PAGE_TONE, carry: true });
    const callee = await world.page(romeo, { tone: PEER_TONE, carry: true });
    const other = await world.page(romeo, { tone: PEER_TONE, carry: true });

    await caller.dial(romeo.jid, { video: true });
    await until('both tabs ring', async () => await callee.rings() && await other.rings());
    await callee.accept();
    await until('the other tab is told', async () => !await other.rings());
    await caller.connected();
    await callee.connected();
    assert.equal((await caller.call()).peer, romeo.jid);
    assert.equal((await other.call()).reason, 'cancel');
    await until('the caller hears', async () => await caller.tone(PEER_TONE) > 0.5);
    await until('the callee hears', async () => await callee.tone(PAGE_TONE) > 0.5);
    for (const page of [caller, callee]) {
      await until('pictures', async () => (await page.media()).videoFrames >= 10, { within: 15_000 });
    }
    await callee.hangUp();
    await expectPageEnded(callee, 'success');
    await expectPageEnded(caller, 'success');
  });

  test('a page declines', async () => {
    const [juliet, romeo] = await people();
    const caller = await world.page(juliet, { carry: true });
    const callee = await world.page(romeo, { carry: true });
    await caller.dial(romeo.jid);
    await callee.decline();
    await expectPageEnded(caller, 'decline');
  });

  test('a Jingle client calls a page', async (t) => {
    const [juliet, romeo] = await people();
    const page = await world.page(juliet, { tone: PAGE_TONE, carry: true });
    const jingle = await world.jingle(romeo);
    const call = await jingle.place(await page.jid(), { tone: PEER_TONE, video: true });
    await until('the page rings', () => page.rings());
    await until('the caller is told that it rings', () => call.ringing);
    await page.accept();
    await page.connected();
    t.diagnostic(JSON.stringify(await expectSoundBothWays(page, call)));
    await until('pictures at the page', async () => (await page.media()).videoFrames >= 10, { within: 15_000 });
    call.hangUp('success');
    await expectPageEnded(page, 'success');
  });

  test('a page calls a Jingle client, which sees her own address', async (t) => {
    const [juliet, romeo] = await people();
    const page = await world.page(juliet, { tone: PAGE_TONE, carry: true });
    const jingle = await world.jingle(romeo);
    await page.dial(jingle.jid, { video: true });
    const call = await jingle.incoming();
    assert.equal(call.peer, await page.jid());
    await call.ring();
    await page.says(/rings/);
    await call.accept({ tone: PEER_TONE, video: true });
    await page.connected();
    t.diagnostic(JSON.stringify(await expectSoundBothWays(page, call)));
    await until('pictures at the peer', () => call.video?.frames >= 10, { within: 15_000 });
    await page.hangUp();
    await expectPageEnded(page, 'success');
    await expectPeerEnded(call, 'success');
  });

  test('a page shows its contacts that it can be called', async () => {
    const [juliet, romeo] = await people();
    const elsewhere = await world.script(juliet);
    const jingle = await world.jingle(romeo);
    const page = await world.page(juliet, { carry: true });
    const jid = await page.jid();
    jingle.client.subscribe(juliet.jid);
    const presence = await until('her presence', () => {
      elsewhere.send(`<presence xmlns='jabber:client' to='${romeo.jid}' type='subscribed'/>`);
      return jingle.presences.findLast(({ from }) => from === jid);
    });
    assert.ok(presence.legacyCapabilities, JSON.stringify(presence));
    const { features } = await jingle.client.getDiscoInfo(jid);
    for (const feature of ['urn:xmpp:jingle:1', 'urn:xmpp:jingle-message:0', 'urn:xmpp:jingle:apps:rtp:video']) {
      assert.ok(features.includes(feature), feature);
    }
  });
}
