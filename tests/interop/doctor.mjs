// `campana doctor` as a person with a shell runs it.

import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { binary } from './campana.mjs';

/**
 * Runs it against a server and a Campana of the tests.
 * @param {{dir: string, server: object, campana: object, person: {jid: string, password: string},
 *   call?: string, elsewhere?: boolean}} options `elsewhere`: as on a machine without Campana
 * @returns {Promise<{code: number | null, seconds: number, output: string,
 *   lines: {mark: string, step: string, text: string, advice: string[]}[]}>}
 */
export async function runDoctor({ dir, server, campana, person, call, elsewhere }) {
  mkdirSync(dir, { recursive: true });
  const passwordFile = path.join(dir, 'password');
  writeFileSync(passwordFile, `${person.password}\n`, { mode: 0o600 });
  const args = [
    'doctor', '--user', person.jid, '--password-file', passwordFile,
    '--server', `127.0.0.1:${server.ports.c2s}`, '--ca', server.certificate,
    ...(elsewhere ? [] : ['--config', campana.configFile]), ...(call ? ['--call', call] : []),
  ];
  const began = performance.now();
  const child = spawn(binary(), args, { cwd: dir, stdio: ['ignore', 'pipe', 'pipe'], timeout: 60_000 });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8');
    stream.on('data', (text) => { output += text; });
  }
  const code = await new Promise((resolve) => child.once('close', resolve));
  const seconds = (performance.now() - began) / 1000;
  return { code, seconds, output, lines: read(output) };
}

/** The findings, each with the lines below it. */
function read(output) {
  const lines = [];
  for (const line of output.split('\n')) {
    const finding = line.match(/^(ok|FAIL|--) +(\S+(?: \S+)*) {2,}(.*)$/) ?? line.match(/^(ok|FAIL|--) +(.{14}) (.*)$/);
    if (finding) lines.push({ mark: finding[1], step: finding[2].trim(), text: finding[3], advice: [] });
    else if (line.startsWith('      ')) lines.at(-1)?.advice.push(line.trim());
  }
  return lines;
}
