// Dino with a camera and a page show each other pictures.
//
// Not part of `make test`, but of `make interop-dino`: on a busy machine, and more often without a
// camera, Dino shows nothing of the pictures that it receives: its depayloader waits for a key frame,
// though the page sends several. And the made-up camera stops after some seconds.

import { test } from 'node:test';

import { dinoWorld } from './dino-world.mjs';
import { expectPageEnded } from './expect.mjs';
import { until } from './process.mjs';

const both = dinoWorld({ camera: true });

/** Gives how many pictures the page has decoded. */
function expectPicturesAtPage() {
  return until('pictures at the page', async () => {
    const { videoFrames } = await both.page.media();
    return videoFrames >= 10 && videoFrames;
  }, { within: 20_000 });
}

test('Dino calls with video', async (t) => {
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
  await both.dino.hangUp();
  await expectPageEnded(both.page, 'success');
});

test('Dino turns its camera on in a call', async (t) => {
  await both.dino.plugInCamera();
  await both.dinoCalls();
  await both.page.accept();
  await both.page.connected();
  await both.expectSoundBothWays();
  await both.dino.pressCamera();
  const pictures = await expectPicturesAtPage();
  t.diagnostic(JSON.stringify({ pictures, ...await both.expectSoundBothWays() }));
  await both.page.hangUp();
});
