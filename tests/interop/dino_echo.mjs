// Dino calls the test call, and hears and sees itself.

import path from 'node:path';
import { afterEach, test } from 'node:test';

import { startDino } from './dino.mjs';
import { startEjabberd } from './ejabberd.mjs';
import { PEER_TONE } from './expect.mjs';
import { until } from './process.mjs';
import { testWorld } from './world.mjs';

const world = testWorld({ startServer: ({ dir }) => startEjabberd({ dir, host: 'im.test' }) });
const echo = () => `echo@${world.campana.service}`;
let dino;
world.before(async () => {
  const romeo = await world.person('romeo');
  await world.server.addContact(romeo.jid.split('@')[0], echo());
  dino = await startDino({
    dir: path.join(world.dir, 'dino'), server: world.server, person: romeo, contacts: [echo()],
    tone: PEER_TONE, camera: true,
  });
  world.closing(() => dino.stop());
});
afterEach(async (t) => {
  await dino.screenshot(path.join(world.dir, `${t.name}.png`)).catch(() => {});
  await until('Dino is in no call', async () => !(await dino.inCall()), { within: 20_000, every: 200 });
});

/** Two strokes of a bell come first. */
async function expectOwnSound() {
  await until('the first stroke', () => dino.tone(880) > 0.2, { within: 15_000, every: 20 });
  await until('its own tone comes back', () => dino.tone(PEER_TONE) > 0.5, { within: 15_000 });
  return dino.tone(PEER_TONE);
}

test('Dino hears itself', async (t) => {
  t.diagnostic(dino.version);
  await dino.dial(echo());
  t.diagnostic(`own tone: ${await expectOwnSound()}`);
  await dino.hangUp();
});

test('Dino hears and sees itself', async (t) => {
  let picture;
  for (let calls = 1; !picture; calls += 1) {
    await dino.plugInCamera();
    await dino.dial(echo(), { video: true });
    const sound = await expectOwnSound();
    // In the corner it is anyway, but small. On a busy machine not every call of Dino's shows what
    // comes, though key frames do: three may try.
    picture = await until('its own picture comes back', async () => {
      const seen = await dino.picture();
      return seen.black > 0.5 && seen.moving > 0.008 && seen;
    }).catch((error) => {
      if (calls === 3) throw error;
    });
    t.diagnostic(JSON.stringify({ calls, 'own tone': sound, ...picture }));
    if (picture) await dino.screenshot(path.join(world.dir, 'echo.png'));
    await dino.hangUp();
  }
});
