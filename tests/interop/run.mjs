// Runs the tests, two files at a time, and the one that mostly waits beside them; those that make
// networks around themselves come last, one at a time.
//
//   node run.mjs [file ...]       CAMPANA_BIN=… SILENCE_SECONDS=… CHROMIUM=… FIREFOX=… BROWSER=firefox
//
// The logs of every server stay in target/interop until the next run.

import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';

import { binary } from './campana.mjs';

const HERE = import.meta.dirname;
const LOGS = path.resolve(HERE, '../../target/interop');
const PATIENT = ['link_silence.test.mjs'];
/** What makes networks. */
const ROOTS = ['network_change.test.mjs'];
/** What runs in a network of its own, to which it adds others: `islands.mjs`. */
const isApart = (file) => /^(dino_)?apart_/.test(file);
/** How long a file may take, in ms. */
const LONGEST = (Number(process.env.SILENCE_SECONDS ?? 180) + 240) * 1000;

rmSync(LOGS, { recursive: true, force: true });
mkdirSync(LOGS, { recursive: true });

const asked = process.argv.slice(2).map((file) => path.basename(file));
const files = asked.length > 0 ? asked : readdirSync(HERE).filter((name) => name.endsWith('.test.mjs'));
const env = { ...process.env, CAMPANA_BIN: binary(), CAMPANA_TEST_DIR: LOGS };
const began = Date.now();
const root = process.getuid() === 0 ? [] : ['sudo', '--non-interactive', '--preserve-env'];
const beside = [PATIENT, root.length ? ROOTS : []];
const apart = files.filter(isApart);
const outcomes = await Promise.all([
  run(files.filter((file) => !apart.includes(file) && !beside.flat().includes(file)), process.stdout),
  run(files.filter((file) => beside[0].includes(file)), null),
  run(files.filter((file) => beside[1].includes(file)), null, { by: root }),
]);
for (const { output } of outcomes.slice(1)) process.stdout.write(output);
const own = ['unshare', '--net', 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh'];
env.CAMPANA_TEST_APART = 'yes';
outcomes.push(await run(apart, process.stdout, { by: [...root, ...own], atOnce: 1 }));

const total = (what) => outcomes.reduce((sum, { output }) => (
  sum + Number(output.match(new RegExp(`^ℹ ${what} (\\d+)$`, 'm'))?.[1] ?? 0)
), 0);
const failed = outcomes.some(({ code }) => code !== 0);
const passed = total('pass');
process.stdout.write(
  `interop: ${passed} passed, ${total('fail')} failed, ${total('cancelled')} cancelled,`
  + ` ${total('skipped')} skipped in ${((Date.now() - began) / 1000).toFixed()} s\n`,
);
process.exit(failed || passed === 0 ? 1 : 0);

/** Runs these files, `by` another program if given; shows the output at once if `out` is given. */
function run(some, out, { by = [], atOnce = 2 } = {}) {
  if (some.length === 0) return { code: 0, output: '' };
  const [command, ...args] = [...by, process.execPath];
  const child = spawn(command, [...args,
    // The WebRTC stack in Node crashes when it is unloaded: exit without that.
    '--test', '--test-force-exit', '--test-reporter=spec', `--test-concurrency=${atOnce}`,
    `--test-timeout=${LONGEST}`, ...some,
  ], { cwd: HERE, env, stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8');
  child.stdout.on('data', (text) => {
    output += text;
    out?.write(text);
  });
  const end = (signal) => child.kill(signal);
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, end);
  return new Promise((resolve) => {
    child.on('close', (code) => resolve({ code: code ?? 1, output }));
  });
}
