// Calls between a page and stanza.js in networks that reach each other through Campana's TURN alone.
// For a server of either kind.

import assert from 'node:assert/strict';
import test from 'node:test';

import { connectDistant } from './distant.mjs';
import { PAGE_TONE, PEER_TONE, expectPageEnded, expectPeerEnded, expectSoundBothWays } from './expect.mjs';
import { apartWorld } from './islands.mjs';
import { until } from './process.mjs';

/** @param {Function} [startServer] ejabberd if not given */
export function callsApart(startServer) {
  const world = apartWorld({ startServer });

  /** A page on one island, and a client on the other. */
  async function both() {
    const [juliet, romeo] = [await world.person('juliet'), await world.person('romeo')];
    const page = await world.page(juliet, { tone: PAGE_TONE, network: world.near });
    const peer = await connectDistant({
      network: world.far, websocket: world.server.websocket, iceServers: 'asked', camera: true, ...romeo,
    });
    world.closing(() => peer.close());
    return { juliet, romeo, page, peer };
  }

  async function pageCalls({ page, peer, romeo }, options) {
    await page.dial(romeo.jid, options);
    const call = await peer.incoming();
    await call.accept({ tone: PEER_TONE, ...options });
    await page.connected();
    return call;
  }

  async function peerCalls({ juliet, page, peer }, options) {
    const call = await peer.place(`${world.addressOf(juliet)}/campana`, { tone: PEER_TONE, ...options });
    await page.accept();
    await page.connected();
    return call;
  }

  /** Sound both ways, and over relays of ours. */
  async function expectRelayed(t, page, call) {
    const sound = await expectSoundBothWays(page, call);
    const { local, remote } = await page.media();
    const path = await call.path();
    t.diagnostic(JSON.stringify({ page: { local, remote }, peer: path, ...sound }));
    for (const end of [local, remote, path.local, path.remote]) assert.equal(end.type, 'relay');
    return path;
  }

  async function expectPictures(what, count) {
    const before = await count();
    await until(what, async () => await count() >= before + 10, { within: 20_000 });
  }

  test('a page calls with video, and hangs up', async (t) => {
    const people = await both();
    const { page } = people;
    const call = await pageCalls(people, { video: true });
    await expectRelayed(t, page, call);
    await expectPictures('pictures at the peer', () => call.video.frames);
    await expectPictures('pictures at the page', async () => (await page.media()).videoFrames);
    await page.hangUp();
    await expectPeerEnded(call, 'success');
    await page.close();
  });

  test('a client calls with video, and hangs up', async (t) => {
    const people = await both();
    const { page } = people;
    const call = await peerCalls(people, { video: true });
    await expectRelayed(t, page, call);
    await expectPictures('pictures at the peer', () => call.video.frames);
    await expectPictures('pictures at the page', async () => (await page.media()).videoFrames);
    await call.hangUp('success');
    await expectPageEnded(page, 'success');
    await page.close();
  });

  test('either restarts ICE in a call', async (t) => {
    const people = await both();
    const { page } = people;
    const restarted = async (call, before, what) => {
      const after = await until(what, async () => {
        const { ufrags } = await call.path();
        return ufrags.every((ufrag, side) => ufrag !== before.ufrags[side]);
      });
      assert.ok(after);
      return expectRelayed(t, page, call);
    };
    let call = await peerCalls(people);
    let before = await expectRelayed(t, page, call);
    await call.restartIce();
    await restarted(call, before, 'new credentials at both ends, as the client wished');
    await page.hangUp();
    await expectPeerEnded(call, 'success');

    call = await pageCalls(people);
    before = await expectRelayed(t, page, call);
    await page.page.evaluate(() => globalThis.campana.call.pc.restartIce());
    await restarted(call, before, 'new credentials at both ends, as the page wished');
    await page.hangUp();
    await expectPeerEnded(call, 'success');
    await page.close();
  });

  test('each turns a camera on in a call', async (t) => {
    const people = await both();
    const { page } = people;
    const call = await pageCalls(people);
    await expectRelayed(t, page, call);
    await page.press('#mute-video');
    await expectPictures('pictures at the peer', () => call.video?.frames ?? 0);
    await call.turnOnCamera();
    await expectPictures('pictures at the page', async () => (await page.media()).videoFrames);
    await expectRelayed(t, page, call);
    await page.hangUp();
    await expectPeerEnded(call, 'success');
    await page.close();
  });
}
