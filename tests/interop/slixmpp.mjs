// A client of slixmpp, in an environment of Python made here.

import { execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';

import { parse } from 'stanza/jxt/index.js';

import { until } from './process.mjs';

const PLACE = path.resolve(import.meta.dirname, '../../target/slixmpp-1.17.0');
const PYTHON = path.join(PLACE, 'bin/python3');

/**
 * Logs in, with presence and roster.
 * @param {{server: object, jid: string, password: string, resource?: string}} account
 */
export async function connectSlixmpp({ server, jid, password, resource = 'slixmpp' }) {
  if (!existsSync(path.join(PLACE, 'made'))) {
    execFileSync('python3', ['-m', 'venv', PLACE], { timeout: 120_000 });
    execFileSync(PYTHON, ['-m', 'pip', 'install', '-q', 'slixmpp==1.17.0'], { timeout: 300_000 });
    execFileSync('touch', [path.join(PLACE, 'made')]);
  }
  const script = path.join(import.meta.dirname, 'slixmpp_client.py');
  const args = [script, `${jid}/${resource}`, password, `${server.ports.c2s}`, server.certificate];
  const child = spawn(PYTHON, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  const client = new SlixmppClient(child);
  client.jid = await until(`login of ${jid} with slixmpp`, () => {
    if (child.exitCode !== null) throw new Error(`slixmpp ended: ${client.errors}`);
    return client.ready;
  }, { within: 30_000 });
  return client;
}

class SlixmppClient {
  errors = '';
  ready = '';
  #child;
  #unread = [];

  constructor(child) {
    this.#child = child;
    child.stderr.on('data', (text) => {
      this.errors += text;
    });
    createInterface({ input: child.stdout }).on('line', (line) => {
      const { ready, got } = JSON.parse(line);
      if (ready) this.ready = ready;
      if (got) this.#unread.push({ text: got, at: performance.now() });
    });
  }

  #say(words) {
    this.#child.stdin.write(`${JSON.stringify(words)}\n`);
  }

  send(xml) {
    this.#say({ send: xml });
  }

  subscribe(jid) {
    this.#say({ subscribe: jid });
  }

  /** Everything that came since this was called last, as text. */
  taken() {
    return this.#unread.splice(0).map(({ text }) => text);
  }

  /** The first stanza, among those not yet taken, that fits; later ones are waited for. */
  async next(what, fits, patience = 10_000) {
    return (await this.#take(what, fits, patience)).text;
  }

  /** Sends that, and gives how many milliseconds later the first stanza came that fits. */
  async time(xml, what, fits) {
    const sent = performance.now();
    this.send(xml);
    return (await this.#take(what, fits, 10_000)).at - sent;
  }

  #take(what, fits, patience) {
    return until(what, () => {
      const found = this.#unread.findIndex(({ text }) => fits(parse(text), text));
      return found < 0 ? undefined : this.#unread.splice(found, 1)[0];
    }, { within: patience, every: 10 }).catch((error) => {
      const unread = this.#unread.slice(-12).map(({ text }) => text);
      throw new Error(`${error.message}\n${unread.join('\n')}\n${this.errors}`);
    });
  }

  async close() {
    this.#child.stdin.end();
    this.#child.kill('SIGTERM');
  }
}
