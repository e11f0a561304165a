// A private server, Campana and a robot to call; proves a call, then waits for Ctrl-C.
//
//   node demo.mjs [--once]        --once ends after the proof

import { PAGE_TONE, PEER_TONE, expectSoundBothWays } from './expect.mjs';
import { World } from './world.mjs';

const say = (line = '') => process.stdout.write(`${line}\n`);
const world = new World();

const stopped = new Promise((resolve) => {
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.removeAllListeners(signal);
    process.on(signal, resolve);
  }
});

try {
  await open();
  await prove();
  if (!process.argv.includes('--once')) {
    invite();
    await stopped;
    say('\nStopping …');
  }
} catch (error) {
  say(`${error.stack}\n\n${world.campana?.log().slice(-4000) ?? ''}`);
  process.exitCode = 1;
}
await world.close();
process.exit();

async function open() {
  say('Starting ejabberd and Campana …');
  await world.open();
  for (const name of ['juliet', 'romeo', 'bell']) await world.server.addUser(name, 'wherefore');
}

/** The robot answers every call with a tone and moving pictures; a page calls it. */
async function prove() {
  const bell = { jid: `bell@${world.server.host}`, password: 'wherefore' };
  const robot = await world.jingle(bell);
  const calls = [];
  robot.client.on('jingle:incoming', async () => {
    const call = await robot.incoming();
    calls.push(call);
    await call.ring();
    await call.accept({ tone: PEER_TONE, video: true });
  });

  say('A page in Chromium calls a Jingle client (stanza.js) …');
  const began = performance.now();
  const juliet = { jid: `juliet@${world.server.host}`, password: 'wherefore' };
  const page = await world.page(juliet, { tone: PAGE_TONE });
  await page.dial(bell.jid, { video: true });
  await page.connected();
  const heard = await expectSoundBothWays(page, calls[0]);
  const { videoFrames, local, remote } = await page.media();
  say(`  connected, and both hear each other, ${(performance.now() - began).toFixed()} ms after opening the page`);
  say(`  the page received ${heard.packetsAtPage} packets of sound and ${videoFrames} pictures;`
    + ` the Jingle client ${heard.framesAtPeer} frames and ${calls[0].video?.frames ?? 0} pictures`);
  say(`  media: ${local.type} ${local.address}:${local.port} – ${remote.type} ${remote.address}:${remote.port}`);
  await page.hangUp();
  await page.close();
}

function invite() {
  const host = world.server.host;
  say(`
Open  ${world.campana.url}  in two browser windows.

  account            password
  juliet@${host}   wherefore
  romeo@${host}    wherefore

Call one from the other, or call bell@${host}: a Jingle client that answers with a tone.
An IM client may log in at 127.0.0.1:${world.server.ports.c2s} (accept its certificate).
Logs: ${world.dir}

Ctrl-C ends everything.`);
}
