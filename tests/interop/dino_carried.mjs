// A person with Dino and a person in a browser call each other at their own addresses: the page
// carries its calls.

import { test } from 'node:test';

import { dinoWorld } from './dino-world.mjs';
import { PAGE_TONE, expectPageEnded } from './expect.mjs';
import { until } from './process.mjs';

const both = dinoWorld({ camera: true, carry: true });

/** Gives how many pictures the page has decoded. */
function expectPicturesAtPage() {
  return until('pictures at the page', async () => {
    const { videoFrames } = await both.page.media();
    return videoFrames >= 10 && videoFrames;
  }, { within: 20_000 });
}

test('Dino calls, one of two tabs takes it, and Dino hangs up', async (t) => {
  t.diagnostic(both.dino.version);
  const other = await both.anotherTab();
  await both.dinoCalls();
  await until('the other tab rings', () => other.rings());
  await both.page.accept();
  await until('the other tab is told', async () => !await other.rings());
  await both.page.connected();
  t.diagnostic(JSON.stringify(await both.expectSoundBothWays()));
  await both.dino.hangUp();
  await expectPageEnded(both.page, 'success');
  await other.leave();
});

test('the page calls, Dino takes it, and the page hangs up', async (t) => {
  const call = await both.pageCalls();
  await call.accept();
  await both.page.connected();
  t.diagnostic(JSON.stringify(await both.expectSoundBothWays()));
  await both.page.hangUp();
  await both.dinoIsFree();
});

test('Dino calls with video', async (t) => {
  await both.dino.plugInCamera();
  await both.dinoCalls({ video: true });
  await both.page.accept();
  await both.page.connected();
  const pictures = await expectPicturesAtPage();
  t.diagnostic(JSON.stringify({ pictures, ...await both.expectPictureAtDino(), ...await both.expectSoundBothWays() }));
  await both.dino.hangUp();
  await expectPageEnded(both.page, 'success');
});

test('the page calls with video', async (t) => {
  await both.dino.plugInCamera();
  const call = await both.pageCalls({ video: true });
  await call.accept();
  await both.page.connected();
  const pictures = await expectPicturesAtPage();
  t.diagnostic(JSON.stringify({ pictures, ...await both.expectPictureAtDino(), ...await both.expectSoundBothWays() }));
  await both.page.hangUp();
  await both.dinoIsFree();
});

test('the page calls and Dino rejects', async () => {
  const declined = await both.dino.callsIn(DECLINED);
  const call = await both.pageCalls();
  await call.reject();
  // Dino gives no reason.
  await expectPageEnded(both.page, 'busy');
  await until('Dino has declined a call', async () => await both.dino.callsIn(DECLINED) === declined + 1);
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
  await until('Dino hears the page', () => both.dino.tone(PAGE_TONE) > 0.5, { within: 20_000 });
  const died = Date.now();
  await both.dino.crash();
  await expectPageEnded(both.page, 'connectivity-error', 60_000);
  t.diagnostic(`noticed after ${((Date.now() - died) / 1000).toFixed(1)} s`);
});

// Dino's number for a call that was declined.
const DECLINED = 5;
