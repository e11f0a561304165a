// Debian's Prosody with ejabberd-config/prosody.cfg.lua, in a private directory, as any user.

import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';

import { fill, selfSigned } from './ejabberd.mjs';
import { accepts, freePorts, start, until } from './process.mjs';

/**
 * Boots a server on free ports of 127.0.0.1; it is used as the one of ejabberd.mjs.
 * @param {{dir: string, host?: string, privileged?: boolean}} options
 */
export async function startProsody({ dir, host = 'localhost', privileged = true }) {
  const [c2s, http, component] = await freePorts(3);
  const server = new Prosody(dir, host, { c2s, http, component });
  server.privileged = privileged;
  server.writeConfig();
  await server.boot();
  return server;
}

class Prosody {
  #process;

  constructor(dir, host, ports) {
    this.dir = dir;
    this.host = host;
    this.ports = ports;
    this.configFile = path.join(dir, 'prosody.cfg.lua');
    this.guestHost = `guest.${host}`;
    this.service = `call.${host}`;
    this.secret = 'a secret for tests';
    /** The authority to trust, as a PEM file. */
    this.certificate = '';
    this.websocket = `ws://127.0.0.1:${ports.http}/ws`;
  }

  writeConfig() {
    mkdirSync(path.join(this.dir, 'data/certs'), { recursive: true });
    this.certificate = selfSigned(this.dir, [this.host, this.guestHost]);
    const granted = fill(SAMPLE, {
      HOST: this.host,
      LISTEN: '127.0.0.1',
      CERTIFICATE: this.certificate,
      C2S_PORT: this.ports.c2s,
      HTTP_PORT: this.ports.http,
      COMPONENT_PORT: this.ports.component,
      COMPONENT_SECRET: this.secret,
    });
    const sample = this.privileged ? granted
      : granted.replaceAll(/"(privilege|delegation)";? ?/g, '').replace(/^privileged_entities = \{$[^]*?^\}$/m, '');
    if (sample.includes('privileged_entities') !== this.privileged) throw new Error('another sample');
    // Where a package has its own places.
    const place = (name) => JSON.stringify(path.join(this.dir, name));
    writeFileSync(this.configFile, `run_as_root = true
pidfile = ${place('prosody.pid')}
data_path = ${place('data')}
certificates = ${place('data/certs')}
log = { { levels = { min = "info" }, to = "file", filename = ${place('prosody.log')} } }
${sample}`);
  }

  async boot() {
    const log = path.join(this.dir, 'prosody.out');
    this.#process = start('prosody', ['-F', '--config', this.configFile], { log });
    await until('Prosody listens', async () => {
      if (this.#process.exited) throw new Error(`prosody ended:\n${this.log()}`);
      const open = await Promise.all(Object.values(this.ports).map((port) => accepts(port)));
      return open.every(Boolean);
    }, { within: 30_000, every: 25 });
  }

  stop() {
    return this.#process.stop();
  }

  async addUser(name, password) {
    await promisify(execFile)('prosodyctl', [
      '--config', this.configFile, 'register', name, this.host, password,
    ], { timeout: 20_000 });
    return { jid: `${name}@${this.host}`, password };
  }

  log() {
    const file = path.join(this.dir, 'prosody.log');
    return (existsSync(file) ? readFileSync(file, 'utf8') : '') + this.#process.output;
  }
}

const SAMPLE = path.resolve(import.meta.dirname, '../../ejabberd-config/prosody.cfg.lua');
