// Whatever was under way when the service's link broke comes twice, with the same id. An app acts on
// it once, and answers it twice.

import assert from 'node:assert/strict';
import test from 'node:test';

import {
  PAGE_TONE, PEER_TONE, expectPageEnded, expectPeerEnded, expectSoundBothWays,
} from './expect.mjs';
import { until } from './process.mjs';
import { testWorld } from './world.mjs';

const world = testWorld();

test('a call in which every request comes twice', async () => {
  const [juliet, romeo] = [await world.person('juliet'), await world.person('romeo')];
  await world.befriend(juliet, romeo);
  const jingle = await world.jingle(romeo);
  const page = await world.page(undefined, { tone: PAGE_TONE, browser: 'chromium' });
  const [asked, answered] = [new Map(), new Map()];
  const [answers, errors] = [[], []];
  const count = (counts, id) => counts.set(id, (counts.get(id) ?? 0) + 1);
  const idOf = (text) => /^<iq\b[^>]*\bid=["']([^"']+)/.exec(text)?.[1];
  await page.page.routeWebSocket(world.server.websocket, (socket) => {
    const server = socket.connectToServer();
    let surplus = 0;
    server.onMessage((text) => {
      socket.send(text);
      if (/^<iq\b[^>]*\btype=["']set["']/.test(text) && text.includes('urn:x-campana:sdp:0')) {
        socket.send(text);
        surplus += 1;
        count(asked, idOf(text));
      }
      if (/^<iq\b[^>]*\btype=["']error["']/.test(text)) errors.push(text);
    });
    socket.onMessage((text) => {
      // What the server did not send, it is not told of (XEP-0198).
      server.send(text.replace(/(^<a\b[^>]*\bh=["'])(\d+)/, (_, start, h) => `${start}${h - surplus}`));
      if (/^<iq\b[^>]*\btype=["'](?:result|error)["']/.test(text)) count(answered, idOf(text));
      if (text.includes('<answer')) answers.push(text);
    });
  });
  await page.page.reload();
  await page.logIn(juliet.jid, juliet.password);

  const call = await jingle.place(await jingle.reach(world.addressOf(juliet)), { tone: PEER_TONE });
  await page.accept();
  await page.connected();
  await expectSoundBothWays(page, call);
  await call.hangUp('success');
  await expectPageEnded(page, 'success');

  await page.dial(romeo.jid);
  const back = await jingle.incoming();
  await back.accept({ tone: PEER_TONE });
  await page.connected();
  await expectSoundBothWays(page, back);
  await page.hangUp();
  await expectPeerEnded(back, 'success');

  assert.equal(answers.length, 1, answers.join('\n'));
  assert.deepEqual(errors, []);
  assert.ok(asked.size >= 5, `${asked.size} requests`);
  await until('each is answered twice', () => [...asked.keys()].every((id) => answered.get(id) === 2), {
    within: 5000,
  });
  await page.close();
});
