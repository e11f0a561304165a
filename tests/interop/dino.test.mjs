// A person with Dino and a person in a browser call each other.

import assert from 'node:assert/strict';
import path from 'node:path';
import { afterEach, test } from 'node:test';

import { startDino } from './dino.mjs';
import { startEjabberd } from './ejabberd.mjs';
import { PAGE_TONE, PEER_TONE, expectPageEnded } from './expect.mjs';
import { sleep, until } from './process.mjs';
import { testWorld } from './world.mjs';

// `localhost` is resolved without asking: Dino would find no server there.
const world = testWorld({ startServer: ({ dir }) => startEjabberd({ dir, host: 'im.test' }) });
let juliet; let romeo; let page; let dino; let address;

world.before(async () => {
  [juliet, romeo] = [await world.person('juliet'), await world.person('romeo')];
  address = world.addressOf(juliet);
  await world.server.addContact(romeo.jid.split('@')[0], address);
  page = await world.page(juliet, { tone: PAGE_TONE });
  dino = await startDino({
    dir: path.join(world.dir, 'dino'), server: world.server, person: romeo, contacts: [address],
    tone: PEER_TONE, camera: true,
  });
  world.closing(() => dino.stop());
});

afterEach(async (t) => {
  if (!t.passed) await dino.screenshot(path.join(world.dir, `${t.name}.png`)).catch(() => {});
  if (!['new', 'ended', undefined].includes((await page.call()).state)) await page.hangUp().catch(() => {});
  await dinoIsFree();
});

/** The window of a call that is over stays for some seconds. */
function dinoIsFree() {
  return until('Dino’s call is over', async () => !(await dino.inCall()), { within: 20_000, every: 200 });
}

/** Dino calls, and the page rings. */
async function dinoCalls(options) {
  await dino.dial(address, options);
  await until('the page rings', () => page.rings());
}

/** The page calls, and Dino rings. */
async function pageCalls(options) {
  await page.dial(romeo.jid, options);
  return dino.incoming();
}

/** Each end hears the other's tone, not its own, and packets go on arriving. */
async function expectSoundBothWays() {
  await until('Dino hears the page', () => dino.tone(PAGE_TONE) > 0.5, { within: 20_000 });
  await until('the page hears Dino', async () => await page.tone(PEER_TONE) > 0.5, { within: 20_000 });
  assert.ok(dino.tone(PEER_TONE) < 0.1, `Dino hears itself: ${dino.tone(PEER_TONE)}`);
  const own = await page.tone(PAGE_TONE);
  assert.ok(own < 0.1, `the page hears itself: ${own}`);
  const before = (await page.media()).audioPackets;
  await sleep(1000);
  const { audioPackets, local, remote } = await page.media();
  assert.ok(audioPackets >= before + 20, `packets at the page: ${before} → ${audioPackets}`);
  return {
    packetsAtPage: audioPackets, 'tone at the page': await page.tone(PEER_TONE),
    'tone at Dino': dino.tone(PAGE_TONE), path: `${local?.type} – ${remote?.type}`,
  };
}

async function expectPicturesBothWays() {
  // Chromium's camera is a green picture with moving parts, Dino shows nothing green otherwise.
  const seen = await until('Dino shows the page’s picture', async () => {
    const picture = await dino.picture();
    if (picture.green > 0.3 && picture.moving > 0.002) return picture;
    await page.sendKeyFrame();
    return false;
  }, { within: 30_000, every: 2000 });
  const pictures = await until('pictures at the page', async () => {
    const { videoFrames } = await page.media();
    return videoFrames >= 10 && videoFrames;
  }, { within: 20_000 });
  return { 'pictures at the page': pictures, 'green at Dino': seen.green, 'moving at Dino': seen.moving };
}

test('Dino calls, the page takes it, and Dino hangs up', async (t) => {
  t.diagnostic(dino.version);
  await dinoCalls();
  assert.equal(await page.page.textContent('#caller'), `${romeo.jid} calls`);
  await page.accept();
  await page.connected();
  t.diagnostic(JSON.stringify(await expectSoundBothWays()));
  await dino.hangUp();
  await expectPageEnded(page, 'success');
});

test('the page calls, Dino takes it, and the page hangs up', async (t) => {
  const call = await pageCalls();
  await call.accept();
  await page.connected();
  t.diagnostic(JSON.stringify(await expectSoundBothWays()));
  await page.hangUp();
  await dinoIsFree();
});

test('each mutes its microphone', async () => {
  await dinoCalls();
  await page.accept();
  await page.connected();
  await expectSoundBothWays();
  await dino.pressMicrophone();
  await page.says(/: mute$/);
  await dino.pressMicrophone();
  await page.says(/: unmute$/);
  await page.page.click('#mute-audio');
  await until('Dino hears nothing', () => dino.tone(PAGE_TONE) === 0);
  await page.page.click('#mute-audio');
  await expectSoundBothWays();
  await page.hangUp();
});

test('only a relay connects them', async (t) => {
  await page.relayOnly();
  await dinoCalls();
  await page.accept();
  await page.connected();
  const sound = await expectSoundBothWays();
  t.diagnostic(JSON.stringify(sound));
  assert.match(sound.path, /^relay – /);
  await page.hangUp();
  await page.anyPath();
});

test('Dino calls with video', async (t) => {
  await dino.plugInCamera();
  await dinoCalls({ video: true });
  assert.equal(await page.page.textContent('#caller'), `${romeo.jid} calls with video`);
  await page.accept();
  await page.connected();
  const pictures = await expectPicturesBothWays();
  t.diagnostic(JSON.stringify({ ...await expectSoundBothWays(), ...pictures }));
  await page.hangUp();
});

test('the page calls with video', async (t) => {
  await dino.plugInCamera();
  const call = await pageCalls({ video: true });
  await call.accept();
  await page.connected();
  const pictures = await expectPicturesBothWays();
  t.diagnostic(JSON.stringify({ ...await expectSoundBothWays(), ...pictures }));
  await dino.hangUp();
  await expectPageEnded(page, 'success');
});

test('the page calls and Dino rejects', async () => {
  const declined = await dino.callsIn(DECLINED);
  const call = await pageCalls();
  await call.reject();
  // Dino gives no reason.
  await expectPageEnded(page, 'busy');
  assert.equal(await dino.callsIn(DECLINED), declined + 1);
});

test('the page calls and gives up', async () => {
  const missed = await dino.callsIn(MISSED);
  await pageCalls();
  await page.hangUp();
  await until('Dino has missed a call', async () => await dino.callsIn(MISSED) === missed + 1);
});

test('Dino calls and the page declines', async () => {
  const declined = await dino.callsIn(DECLINED);
  await dinoCalls();
  await page.decline();
  await until('Dino knows that it was declined', async () => await dino.callsIn(DECLINED) === declined + 1);
});

test('Dino calls and gives up', async () => {
  await dinoCalls();
  await dino.hangUp();
  await expectPageEnded(page, 'cancel');
  await until('it rings no more', async () => !(await page.rings()));
});

test('Dino dies in a call', async (t) => {
  await dinoCalls();
  await page.accept();
  await page.connected();
  const died = Date.now();
  await dino.crash();
  // Its server keeps the session for its return; the page notices that no path is left.
  await expectPageEnded(page, 'connectivity-error', 60_000);
  t.diagnostic(`noticed after ${((Date.now() - died) / 1000).toFixed(1)} s`);
});

// Dino's numbers for what became of a call.
const DECLINED = 5;
const MISSED = 6;
