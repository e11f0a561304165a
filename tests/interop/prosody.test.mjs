// The same over Prosody: the sample configuration is a server that calls work with.

import test from 'node:test';

import { PAGE_TONE, connectPageToPeer, expectPageEnded, expectPeerEnded, expectSoundBothWays } from './expect.mjs';
import { startProsody } from './prosody.mjs';
import { testWorld } from './world.mjs';

const world = testWorld({ startServer: startProsody });

test('a page calls a Jingle client', async () => {
  const romeo = await world.person('romeo');
  const jingle = await world.jingle(romeo);
  const page = await world.page(await world.person('juliet'), { tone: PAGE_TONE });
  const call = await connectPageToPeer(world, page, jingle, romeo);
  await expectSoundBothWays(page, call);
  await page.hangUp();
  await expectPageEnded(page, 'success');
  await expectPeerEnded(call, 'success');
});
