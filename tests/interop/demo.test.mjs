// `make demo`, without the building: it proves calls, invites people, and leaves nothing behind.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { after } from 'node:test';

import { binary } from './campana.mjs';
import { until, within } from './process.mjs';

const place = mkdtempSync(path.join(tmpdir(), 'campana-demo-test-'));
after(() => rmSync(place, { recursive: true, force: true }));

test('the demo proves calls, invites people, and leaves nothing behind', async (t) => {
  const env = { ...process.env, TMPDIR: place, CAMPANA_BIN: binary() };
  delete env.CAMPANA_TEST_DIR;
  const child = spawn(process.execPath, ['demo.mjs'], { cwd: import.meta.dirname, env });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8');
    stream.on('data', (text) => { output += text; });
  }
  const ended = new Promise((resolve) => child.once('close', (code, signal) => resolve(signal ?? code)));
  t.after(() => child.kill('SIGKILL'));

  await until('the demo invites', () => {
    assert.equal(child.exitCode, null, output);
    return output.includes('Ctrl-C ends everything');
  }, { within: 60_000 });
  assert.equal(output.match(/^All is well/gm).length, 2, output);
  const [, page] = output.match(/^Open +(\S+)/m);
  assert.equal((await fetch(page)).status, 200);
  assert.ok(there().length >= 2, there().join('\n'));

  child.kill('SIGINT');
  assert.equal(await within('the demo ends', ended, 20_000), 0, output);
  assert.deepEqual(there(), []);
  assert.deepEqual(readdirSync(place), []);
  await assert.rejects(fetch(page));
});

/** The command lines that name our place, of processes that live. */
function there() {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).flatMap((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
    } catch {
      return [];
    }
  }).filter((line) => line.includes(place));
}
