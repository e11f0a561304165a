// Calls between Dino and a page, the same wherever they are.

import path from 'node:path';
import { test } from 'node:test';

import { DECLINED } from './dino-world.mjs';
import { PAGE_TONE, expectPageEnded } from './expect.mjs';
import { until } from './process.mjs';

/** They hear each other, whoever calls, and whoever hangs up. */
export function testSound(both) {
  test('Dino calls, the page takes it, and Dino hangs up', async (t) => {
    t.diagnostic(both.dino.version);
    await both.dinoCallsAndHangsUp(t);
  });

  test('the page calls, Dino takes it, and the page hangs up', async (t) => {
    const call = await both.pageCalls();
    await call.accept();
    await both.page.connected();
    t.diagnostic(JSON.stringify(await both.expectSoundBothWays()));
    await both.page.hangUp();
    await both.dinoIsFree();
  });
}

/** They see each other, whoever calls. Dino has a camera. */
export function testPictures(both) {
  async function expectAll(t) {
    const pictures = await both.expectPicturesAtPage();
    t.diagnostic(JSON.stringify({ pictures, ...await both.expectPictureAtDino(), ...await both.expectSoundBothWays() }));
    await both.dino.screenshot(path.join(both.pictures, `${t.name}.png`));
  }

  test('Dino calls with video', async (t) => {
    await both.dino.plugInCamera();
    await both.dinoCalls({ video: true });
    await both.page.accept();
    await both.page.connected();
    await expectAll(t);
    await both.dino.hangUp();
    await expectPageEnded(both.page, 'success');
  });

  test('the page calls with video', async (t) => {
    await both.dino.plugInCamera();
    const call = await both.pageCalls({ video: true });
    await call.accept();
    await both.page.connected();
    await expectAll(t);
    await both.page.hangUp();
    await both.dinoIsFree();
  });
}

/** Calls that come to nothing. */
export function testRefusals(both) {
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
}

/** Dino is not there any more afterwards. */
export function testCrash(both) {
  test('Dino dies in a call', async (t) => {
    await both.dinoCalls();
    await both.page.accept();
    await both.page.connected();
    await until('Dino hears the page', () => both.dino.tone(PAGE_TONE) > 0.5, { within: 20_000 });
    const died = Date.now();
    await both.dino.crash();
    // Its server keeps the session for its return; the page notices that no path is left.
    await expectPageEnded(both.page, 'connectivity-error', 60_000);
    t.diagnostic(`noticed after ${((Date.now() - died) / 1000).toFixed(1)} s`);
  });
}
