// The real binary, attached to a server of the tests.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { accepts, freePorts, ownAddress, start, until } from './process.mjs';

/**
 * Starts Campana as the server's component and waits until it is ready.
 * @param {{dir: string, server: object, config?: Record<string, Record<string, unknown>>,
 *   ready?: boolean}} options `config` is laid over the sections made here; `ready: false` where it is
 *   not to become ready
 */
export async function startCampana({ dir, server, config = {}, ready = true }) {
  mkdirSync(dir, { recursive: true });
  const [http, turn] = await freePorts(2);
  const address = ownAddress();
  const campana = new Campana(dir, { http, turn }, server);
  const sections = {
    '': { state_dir: path.join(dir, 'state'), drain_timeout: 1 },
    component: {
      jid: server.service, server: `127.0.0.1:${server.ports.component}`, secret: server.secret,
    },
    turn: {
      listen: [`udp:${address}:${turn}`],
      relay_address: address,
      realm: server.host,
      // Both ends of a call are on this machine.
      allow_peers: [`${address}/32`, '127.0.0.0/8'],
    },
    http: { listen: `127.0.0.1:${http}`, websocket: server.websocket, domain: server.host },
    access: { mode: 'anyone' },
  };
  for (const [name, keys] of Object.entries(config)) {
    if (keys === null) delete sections[name];
    else sections[name] = { ...sections[name], ...keys };
  }
  writeFileSync(campana.configFile, toml(sections));
  campana.boot();
  if (ready) await campana.ready();
  else await until('Campana serves HTTP', () => accepts(http));
  return campana;
}

class Campana {
  #process;
  #server;

  constructor(dir, ports, server) {
    this.configFile = path.join(dir, 'campana.toml');
    this.logFile = path.join(dir, 'campana.log');
    this.ports = ports;
    this.#server = server;
    /** The page. */
    this.url = `http://127.0.0.1:${ports.http}/`;
    this.service = server.service;
  }

  boot() {
    const env = { ...process.env, RUST_BACKTRACE: '1' };
    this.#process = start(binary(), ['run', '--config', this.configFile], { env, log: this.logFile });
  }

  /** Waits until `/readyz` says 200. */
  async ready(patience = 15_000) {
    await until('Campana is ready', async () => {
      if (this.#process.exited) throw new Error(`Campana ended:\n${this.log()}`);
      return this.isReady();
    }, { within: patience, every: 10 }).catch((error) => {
      throw new Error(`${error.message}\n${this.log().slice(-4000)}`);
    });
  }

  async isReady() {
    const answer = await fetch(`${this.url}readyz`, { signal: AbortSignal.timeout(2000) })
      .catch(() => null);
    await answer?.text();
    return answer?.status === 200;
  }

  get pid() {
    return this.#process.pid;
  }

  get running() {
    return !this.#process.exited;
  }

  /** Names the TCP connection to the XMPP server: after a reconnection it is another one. */
  link() {
    const port = this.#server.ports.component.toString(16).toUpperCase().padStart(4, '0');
    const ESTABLISHED = '01';
    const established = readFileSync('/proc/net/tcp', 'utf8').split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter(([, , remote, state]) => remote?.endsWith(`:${port}`) && state === ESTABLISHED)
      .map(([, here]) => here);
    return established.join();
  }

  /** The gateway address of a person (XEP-0106). */
  addressOf(jid) {
    return `${jid.replace('@', '\\40')}@${this.service}`;
  }

  log() {
    return this.#process.output;
  }

  stop() {
    return this.#process.stop(10_000);
  }
}

/** CAMPANA_BIN, or what cargo built, release first. */
export function binary() {
  const root = path.resolve(import.meta.dirname, '../..');
  const target = process.env.CARGO_TARGET_DIR ?? path.join(root, 'target');
  const found = [
    process.env.CAMPANA_BIN, path.join(target, 'release/campana'), path.join(target, 'debug/campana'),
  ].find((candidate) => candidate && existsSync(candidate));
  if (!found) throw new Error('no campana binary: run `cargo build --release`, or set CAMPANA_BIN');
  return found;
}

function toml(sections) {
  const line = ([key, value]) => `${key} = ${JSON.stringify(value)}`;
  return Object.entries(sections).map(([name, keys]) => (
    `${name && `[${name}]`}\n${Object.entries(keys).filter(([, value]) => value !== undefined).map(line).join('\n')}\n`
  )).join('\n');
}
