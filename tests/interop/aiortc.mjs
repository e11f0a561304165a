// aiortc, a WebRTC engine by other hands, in an environment of Python made here.

import { execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';

import { within } from './process.mjs';

const PLACE = path.resolve(import.meta.dirname, '../../target/aiortc-1.16.0');
const PYTHON = path.join(PLACE, 'bin/python3');

/** Starts it. `answer` gives its answer to an offer, or why it takes none. */
export async function launchAiortc() {
  if (!existsSync(path.join(PLACE, 'made'))) {
    execFileSync('python3', ['-m', 'venv', PLACE], { timeout: 120_000 });
    execFileSync(PYTHON, ['-m', 'pip', 'install', '-q', 'aiortc==1.16.0'], { timeout: 300_000 });
    execFileSync('touch', [path.join(PLACE, 'made')]);
  }
  const script = path.join(import.meta.dirname, 'aiortc_answer.py');
  const child = spawn(PYTHON, [script], { stdio: ['pipe', 'pipe', 'inherit'] });
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async answer(sdp) {
      child.stdin.write(`${JSON.stringify(sdp)}\n`);
      const { value, done } = await within('aiortc answers', lines.next(), 60_000);
      if (done) throw new Error('aiortc ended');
      return JSON.parse(value);
    },
    close() {
      process.off('exit', kill);
      kill();
    },
  };
}
