// A person with Dino and a person in a browser call each other.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { testCrash, testRefusals, testSound } from './dino-calls.mjs';
import { MISSED, dinoWorld } from './dino-world.mjs';
import { PAGE_TONE } from './expect.mjs';
import { until } from './process.mjs';

const both = dinoWorld();

testSound(both);

test('each mutes its microphone', async () => {
  await both.dinoCalls();
  await both.page.accept();
  await both.page.connected();
  await both.expectSoundBothWays();
  await both.dino.pressMicrophone();
  await both.page.says(/ is muted\.$/);
  await both.dino.pressMicrophone();
  await both.page.says(/ can be heard again\.$/);
  await both.page.page.click('#mute-audio');
  await until('Dino hears nothing', () => both.dino.tone(PAGE_TONE) === 0);
  await both.page.page.click('#mute-audio');
  await both.expectSoundBothWays();
  await both.page.hangUp();
});

test('the page restarts ICE, which Dino cannot, and the call goes on', async () => {
  await both.dinoCalls();
  await both.page.accept();
  await both.page.connected();
  await both.expectSoundBothWays();
  assert.equal(await both.page.refusedRestart(), 'refused feature-not-implemented');
  await both.page.connected();
  await both.expectSoundBothWays();
  await both.page.hangUp();
  await both.dinoIsFree();
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

testRefusals(both);

test('the page calls and gives up', async () => {
  const missed = await both.dino.callsIn(MISSED);
  await both.pageCalls();
  await both.page.hangUp();
  await until('Dino has missed a call', async () => await both.dino.callsIn(MISSED) === missed + 1);
});

testCrash(both);
