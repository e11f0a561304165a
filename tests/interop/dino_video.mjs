// Dino with a camera and a page show each other pictures.
//
// Not part of `make test`, but of `make interop-dino`: on a busy machine, and more often without a
// camera, Dino shows nothing of the pictures that it receives: its depayloader waits for a key frame,
// though the page sends several. And the made-up camera stops after some seconds.

import { test } from 'node:test';

import { testPictures } from './dino-calls.mjs';
import { dinoWorld } from './dino-world.mjs';

const both = dinoWorld({ camera: true });

testPictures(both);

test('Dino turns its camera on in a call', async (t) => {
  await both.dino.plugInCamera();
  await both.dinoCalls();
  await both.page.accept();
  await both.page.connected();
  await both.expectSoundBothWays();
  await both.dino.pressCamera();
  const pictures = await both.expectPicturesAtPage();
  t.diagnostic(JSON.stringify({ pictures, ...await both.expectSoundBothWays() }));
  await both.page.hangUp();
});
