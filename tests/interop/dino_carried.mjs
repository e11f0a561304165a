// A person with Dino and a person in a browser call each other at their own addresses: the page
// carries its calls.

import { test } from 'node:test';

import { testCrash, testPictures, testRefusals, testSound } from './dino-calls.mjs';
import { dinoWorld } from './dino-world.mjs';
import { expectPageEnded } from './expect.mjs';
import { until } from './process.mjs';

const both = dinoWorld({ camera: true, carry: true });

testSound(both);
testPictures(both);

test('Dino calls, and one of two tabs takes it', async () => {
  const other = await both.anotherTab();
  await both.dinoCalls();
  await until('the other tab rings', () => other.rings());
  await both.page.accept();
  await until('the other tab is told', async () => !await other.rings());
  await both.page.connected();
  await both.expectSoundBothWays();
  await both.dino.hangUp();
  await expectPageEnded(both.page, 'success');
  await other.leave();
});

testRefusals(both);
testCrash(both);
