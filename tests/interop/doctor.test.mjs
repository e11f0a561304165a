// `campana doctor` where all is well, and where one thing is broken: it names the cause, and the file
// to change. Each set-up is a real ejabberd and a real Campana.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { after } from 'node:test';

import { startCampana } from './campana.mjs';
import { runDoctor } from './doctor.mjs';
import { startEjabberd } from './ejabberd.mjs';
import { connectJingle } from './jingle.mjs';
import { freePorts, ownAddress } from './process.mjs';
import { startProsody } from './prosody.mjs';

const base = mkdtempSync(path.join(process.env.CAMPANA_TEST_DIR ?? tmpdir(), 'campana-doctor-'));
const closing = [];
const servers = new Map();

after(async () => {
  for (const close of closing.reverse()) await close().catch(() => {});
  if (!process.env.CAMPANA_TEST_DIR) rmSync(base, { recursive: true, force: true });
});

test('where all is well it says so', async (t) => {
  const { code, seconds, output, lines } = await examine('well');
  t.diagnostic(`${seconds.toFixed(1)} s\n${output}`);
  assert.equal(code, 0, output);
  assert.deepEqual(lines.map(({ mark, step }) => `${mark} ${step}`), [
    'ok process', 'ok component', 'ok login', 'ok service', 'ok privileges', 'ok delegation',
    'ok websocket', 'ok ice servers', 'ok host', 'ok stun', 'ok turn over udp',
    'ok turn over tcp', 'ok turn over tls', 'ok relay range', 'ok call', 'ok media',
  ]);
  const [, sent, returned] = lines.at(-1).text.match(/sound: (\d+) packets sent, (\d+) returned/);
  assert.ok(Number(sent) >= Number(returned) && Number(returned) >= 25, lines.at(-1).text);
});

test('Prosody is as well', async (t) => {
  const dir = path.join(base, 'prosody');
  mkdirSync(dir, { recursive: true });
  const server = await startProsody({ dir });
  closing.push(() => server.stop());
  const { code, seconds, output, lines } = await examine('well-prosody', { server });
  t.diagnostic(`${seconds.toFixed(1)} s`);
  assert.equal(code, 0, output);
  assert.match(lines.find(({ step }) => step === 'privileges').text, /rosters and block lists/);
});

test('elsewhere it does without a configuration', async (t) => {
  const { code, seconds, output, lines } = await examine('elsewhere', { elsewhere: true });
  t.diagnostic(`${seconds.toFixed(1)} s`);
  assert.equal(code, 0, output);
  const untested = lines.filter(({ mark }) => mark === '--').map(({ step }) => step);
  assert.deepEqual(untested, ['process', 'privileges', 'websocket']);
});

test('the component is refused: nothing listens', async (t) => {
  const [nobody] = await freePorts(1);
  const { failed } = await broken(t, 'refused', {
    config: { component: { server: `127.0.0.1:${nobody}` } }, attached: false,
  });
  const component = failed('component', /component refused.*Connection refused/);
  advises(component, /campana\.toml: component\.server/, new RegExp(`ejabberd\\.yml: listen: .*${nobody}.*ejabberd_service`));
});

test('the secret is wrong', async (t) => {
  const { failed, output } = await broken(t, 'secret', {
    config: { component: { secret: 'another one' } }, attached: false,
  });
  const component = failed('component', /wrong secret/);
  advises(component, /campana\.toml: component\.secret/, /ejabberd\.yml: listen: ejabberd_service: hosts: "call\.localhost": password/);
  failed('service', /call\.localhost does not answer/);
  assert.ok(!output.includes('another one'), output);
});

test('there is no WebSocket', async (t) => {
  const { failed } = await broken(t, 'websocket', {
    edit: (yml) => yml.replace(/^ *\/ws: ejabberd_http_ws\n/m, ''),
  });
  advises(failed('websocket', /no WebSocket at ws:.*404/), /ejabberd\.yml: listen: ejabberd_http: request_handlers: \/ws: ejabberd_http_ws/);
});

test('privileges are not granted', async (t) => {
  const { failed } = await broken(t, 'privileges', { privileged: false });
  advises(failed('privileges', /not granted/), /ejabberd\.yml: modules: mod_privilege/, /prosody\.cfg\.lua: .*privileged_entities/);
  advises(failed('delegation', /not granted/), /ejabberd\.yml: modules: mod_delegation/);
});

for (const transport of ['udp', 'tcp', 'tls']) {
  test(`TURN can not be reached by ${transport}`, async (t) => {
    // It listens where clients are not told to go.
    const { failed, holds } = await broken(t, `turn-${transport}`, {
      listen: { [transport]: '127.0.0.2' },
    });
    const step = failed(`turn over ${transport}`, new RegExp(`can not be reached by ${transport}`));
    advises(step, new RegExp(`campana\\.toml: turn\\.listen: "${transport}:`), /firewall: let (UDP|TCP) \d+ in/);
    for (const other of ['udp', 'tcp', 'tls'].filter((one) => one !== transport)) holds(`turn over ${other}`);
  });
}

test('credentials are rejected', async (t) => {
  // A TURN server beside it that has another secret.
  const other = await campana('other', { config: { component: null, turn: { secret: 'its own' } } });
  const url = `turn:127.0.0.1:${other.ports.turn}?transport=udp`;
  const { failed, output } = await broken(t, 'credentials', { config: { '[ice]': { url, secret: 'not the same' } } });
  advises(failed('turn over udp', /rejects the credentials/), /campana\.toml: \[\[ice\]\] secret/);
  assert.ok(!output.includes('not the same'), output);
});

test('the relay range is blocked', async (t) => {
  // Relays are bound where clients' packets do not come.
  const { failed, holds } = await broken(t, 'range', { config: { turn: { relay_bind: '127.0.0.3' } } });
  holds('turn over udp');
  advises(failed('relay range', /blocked: nothing that is sent to 127\.0\.0\.1:\d+ comes through/), /campana\.toml: turn\.relay_address.*turn\.relay_bind/, /firewall: let UDP 49152-65535/);
});

test('where the relay does not reach this machine, its range is not judged', async (t) => {
  // As on the server itself, whose own addresses are denied as peers.
  const { code, seconds, output, lines } = await examine('own', { config: { turn: { allow_peers: [] } } });
  t.diagnostic(`${seconds.toFixed(1)} s`);
  assert.equal(code, 0, output);
  const range = lines.find(({ step }) => step === 'relay range');
  assert.equal(range.mark, '--');
  assert.match(range.text, /turn\.allow_peers.*elsewhere/);
});

test('nor is it where clients of this machine pass for relays', async (t) => {
  // Whatever port the doctor has, it is one of the range: the relay permits it, and drops its data.
  const address = ownAddress();
  const [port] = await freePorts(1);
  const { code, seconds, output, lines } = await examine('own-public', { config: { turn: {
    listen: [`udp:${address}:${port}`, `tcp:${address}:${port}`], relay_address: address,
    relay_ports: '10000-65535', allow_peers: [],
  } } });
  t.diagnostic(`${seconds.toFixed(1)} s`);
  assert.equal(code, 0, output);
  assert.equal(lines.find(({ step }) => step === 'relay range').mark, '--', output);
});

test('but where nobody is at the relay address that shows', async (t) => {
  const { failed } = await broken(t, 'own-range', { config: { turn: { allow_peers: [], relay_bind: '127.0.0.3' } } });
  failed('relay range', /blocked: nothing that is sent/);
});

test('no media comes back', async (t) => {
  // A callee who picks up and is silent.
  const { failed, holds } = await broken(t, 'media', { answer: (call) => call.session.accept() });
  holds('call');
  advises(failed('media', /no media.*sound: \d+ packets sent, 0 received/), /callee: .*microphone/);
});

test('the password is wrong', async (t) => {
  const { failed, output } = await broken(t, 'password', { password: 'therefore' });
  advises(failed('login', /NotAuthorized/), /--password-file/);
  assert.ok(!output.includes('therefore'), output);
});

/** Runs it where something is broken; every failure says what to change. */
async function broken(t, name, options) {
  const run = await examine(name, options);
  t.diagnostic(`${run.seconds.toFixed(1)} s`);
  const find = (mark, step) => run.lines.filter((line) => line.mark === mark && line.step === step);
  assert.equal(run.code, 1, run.output);
  assert.ok(run.lines.every(({ mark, advice }) => (mark === 'FAIL') === (advice.length > 0)), run.output);
  return {
    ...run,
    failed(step, pattern) {
      const found = find('FAIL', step).find(({ text }) => pattern.test(text));
      assert.ok(found, `no failure ${pattern} of ${step} in\n${run.output}`);
      return found;
    },
    holds: (step) => assert.ok(find('ok', step).length > 0, `${step} does not hold in\n${run.output}`),
  };
}

function advises({ advice }, ...patterns) {
  for (const pattern of patterns) {
    assert.ok(advice.some((line) => pattern.test(line)), `${pattern} is not in\n${advice.join('\n')}`);
  }
}

/** `answer`: not the test call is called, but somebody who does this. */
async function examine(name, { password, answer, privileged, edit, elsewhere, ...options } = {}) {
  const server = options.server ?? await ejabberd({ privileged, edit });
  const started = await campana(name, { ...options, server });
  const call = answer && await callee(server, answer);
  const juliet = await server.addUser(`juliet-${name}`, 'wherefore');
  const run = await runDoctor({
    dir: path.join(base, name, 'doctor'), server, campana: started, person: { ...juliet, password: password ?? juliet.password }, call,
    elsewhere,
  });
  await started.stop();
  return run;
}

/** A Jingle client of somebody who answers the first call so; her address. */
async function callee(server, answer) {
  const romeo = await server.addUser('romeo', 'wherefore');
  const client = await connectJingle({ websocket: server.websocket, ...romeo });
  closing.push(() => client.close());
  client.incoming(20_000).then(answer).catch((error) => assert.fail(error));
  return romeo.jid;
}

/** A server, one for all who want the same. */
function ejabberd({ privileged = true, edit }) {
  const key = `${privileged} ${edit}`;
  if (!servers.has(key)) {
    const dir = path.join(base, `ejabberd-${servers.size}`);
    mkdirSync(dir, { recursive: true });
    servers.set(key, startEjabberd({ dir, privileged, edit }).then((server) => {
      closing.push(() => server.stop());
      return server;
    }));
  }
  return servers.get(key);
}

/** Campana with every kind of listener on loopback; `listen` moves one of them elsewhere. */
async function campana(name, { server, listen = {}, config = {}, attached = true }) {
  server ??= await ejabberd({});
  const [plain, secure] = await freePorts(2);
  const started = await startCampana({
    dir: path.join(base, name),
    server,
    ready: attached,
    config: {
      ...config,
      turn: {
        listen: [
          `udp:${listen.udp ?? '127.0.0.1'}:${plain}`, `tcp:${listen.tcp ?? '127.0.0.1'}:${plain}`,
          `tls:${listen.tls ?? '127.0.0.1'}:${secure}`,
        ],
        relay_address: '127.0.0.1',
        certificate: server.certificate,
        key: server.certificate,
        allow_peers: ['127.0.0.0/8'],
        ...config.turn,
      },
    },
  });
  started.ports.turn = plain;
  closing.push(() => started.stop());
  return started;
}
