// A person with Dino and a person in a browser call each other.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { dinoWorld } from './dino-world.mjs';
import { PAGE_TONE, expectPageEnded } from './expect.mjs';
import { until } from './process.mjs';

const both = dinoWorld();

test('Dino calls, the page takes it, and Dino hangs up', async (t) => {
  t.diagnostic(both.dino.version);
  await both.dinoCalls();
  assert.equal(await both.page.page.textContent('#caller'), `${both.romeo.jid} calls`);
  await both.page.accept();
  await both.page.connected();
  t.diagnostic(JSON.stringify(await both.expectSoundBothWays()));
  await both.dino.hangUp();
  await expectPageEnded(both.page, 'success');
});

test('the page calls, Dino takes it, and the page hangs up', async (t) => {
  const call = await both.pageCalls();
  await call.accept();
  await both.page.connected();
  t.diagnostic(JSON.stringify(await both.expectSoundBothWays()));
  await both.page.hangUp();
  await both.dinoIsFree();
});

test('each mutes its microphone', async () => {
  await both.dinoCalls();
  await both.page.accept();
  await both.page.connected();
  await both.expectSoundBothWays();
  await both.dino.pressMicrophone();
  await both.page.says(/: mute$/);
  await both.dino.pressMicrophone();
  await both.page.says(/: unmute$/);
  await both.page.page.click('#mute-audio');
  await until('Dino hears nothing', () => both.dino.tone(PAGE_TONE) === 0);
  await both.page.page.click('#mute-audio');
  await both.expectSoundBothWays();
  await both.page.hangUp();
});

test('only a relay connects them', async (t) => {
  await both.page.relayOnly();
  await both.dinoCalls();
  await both.page.accept();
  await both.page.connected();
  const sound = await both.expectSoundBothWays();
  t.diagnostic(JSON.stringify(sound));
  assert.match(sound.path, /^relay – /);
  await both.page.hangUp();
  await both.page.anyPath();
});

test('an operator sees how a call went', async () => {
  const call = await both.pageCalls({ video: true });
  await call.accept();
  await both.page.connected();
  await both.expectSoundBothWays();
  await both.page.hangUp();
  await both.dinoIsFree();
  await both.expectLadder(
    /caller\/device-1 → Campana: iq set session offer/, /Campana → .*callee\S*: message propose/,
    /speaks dino/, /jingle session-accept/,
  );
});

test('the page calls and Dino rejects', async () => {
  const declined = await both.dino.callsIn(DECLINED);
  const call = await both.pageCalls();
  await call.reject();
  // Dino gives no reason.
  await expectPageEnded(both.page, 'busy');
  assert.equal(await both.dino.callsIn(DECLINED), declined + 1);
});

test('the page calls and gives up', async () => {
  const missed = await both.dino.callsIn(MISSED);
  await both.pageCalls();
  await both.page.hangUp();
  await until('Dino has missed a call', async () => await both.dino.callsIn(MISSED) === missed + 1);
});

test('Dino calls and the page declines', async () => {
  const declined = await both.dino.callsIn(DECLINED);
  await both.dinoCalls();
  await both.page.decline();
  await until('Dino knows that it was declined', async () => await both.dino.callsIn(DECLINED) === declined + 1);
});

test('Dino calls and gives up', async () => {
  await both.dinoCalls();
  await both.dino.hangUp();
  await expectPageEnded(both.page, 'cancel');
  await until('it rings no more', async () => !(await both.page.rings()));
});

test('Dino dies in a call', async (t) => {
  await both.dinoCalls();
  await both.page.accept();
  await both.page.connected();
  const died = Date.now();
  await both.dino.crash();
  // Its server keeps the session for its return; the page notices that no path is left.
  await expectPageEnded(both.page, 'connectivity-error', 60_000);
  t.diagnostic(`noticed after ${((Date.now() - died) / 1000).toFixed(1)} s`);
});

// Dino's numbers for what became of a call.
const DECLINED = 5;
const MISSED = 6;
