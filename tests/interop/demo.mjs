// A private server, Campana and a robot to call; has `campana doctor` prove it, then waits for Ctrl-C.
//
//   node demo.mjs [--once]        --once ends after the proof

import { runDoctor } from './doctor.mjs';
import { PEER_TONE } from './expect.mjs';
import { freePorts, ownAddress } from './process.mjs';
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
  await world.open({ config: { turn: { listen: listeners(await freePorts(1)) } } });
  for (const name of ['juliet', 'romeo', 'bell']) await world.server.addUser(name, 'wherefore');
  for (const [one, other] of [['juliet', 'romeo'], ['juliet', 'bell'], ['romeo', 'bell']]) await world.server.befriend(one, other);
}

function listeners([port]) {
  return ['udp', 'tcp'].map((transport) => `${transport}:${ownAddress()}:${port}`);
}

/** A robot answers every call with a tone and moving pictures; `campana doctor` calls echo@, then it. */
async function prove() {
  const bell = { jid: `bell@${world.server.host}`, password: 'wherefore' };
  const robot = await world.jingle(bell);
  robot.client.on('jingle:incoming', async () => {
    const call = await robot.incoming();
    await call.ring();
    await call.accept({ tone: PEER_TONE, video: true });
  });

  const person = { jid: `juliet@${world.server.host}`, password: 'wherefore' };
  const doctor = (call) => runDoctor({ ...world, person, call });
  say('campana doctor, as juliet:\n');
  const all = await doctor();
  say(all.output);
  say(`campana doctor calls ${bell.jid}, a Jingle client (stanza.js):\n`);
  const call = await doctor(bell.jid);
  say(call.code === 0 ? call.output.split('\n').slice(-4).join('\n') : call.output);
  if (all.code !== 0 || call.code !== 0) throw new Error('the doctor finds something wrong');
}

function invite() {
  const host = world.server.host;
  say(`
Open  ${world.campana.url}  in two browser windows.

  account            password
  juliet@${host}   wherefore
  romeo@${host}    wherefore

Call one from the other, or echo@${world.campana.service}, which gives back what it hears and sees, or
bell@${host}, a Jingle client that answers with a tone.
An IM client may log in at 127.0.0.1:${world.server.ports.c2s} (accept its certificate).
Logs: ${world.dir}

Ctrl-C ends everything.`);
}
