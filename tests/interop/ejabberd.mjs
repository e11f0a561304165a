// Debian's ejabberd with ejabberd-config/ejabberd.yml, in a private directory, as any user.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { accepts, freePorts, start, until } from './process.mjs';

/**
 * Boots a server on free ports of 127.0.0.1.
 * @param {{dir: string, host?: string, privileged?: boolean, edit?: (yml: string) => string}} options
 *   `privileged: false` leaves out what the sample grants to Campana (XEP-0355, XEP-0356); `edit`
 *   changes the sample
 */
export async function startEjabberd({ dir, host = 'localhost', privileged = true, edit }) {
  const [c2s, http, api, component] = await freePorts(4);
  const server = new Ejabberd(dir, host, { c2s, http, api, component });
  server.privileged = privileged;
  server.edit = edit;
  server.writeConfig();
  await server.boot();
  return server;
}

class Ejabberd {
  #process;

  constructor(dir, host, ports) {
    this.dir = dir;
    this.host = host;
    this.ports = ports;
    this.guestHost = `guest.${host}`;
    this.service = `call.${host}`;
    this.secret = 'a secret for tests';
    /** The authority to trust, as a PEM file. */
    this.certificate = '';
    this.websocket = `ws://127.0.0.1:${ports.http}/ws`;
  }

  writeConfig() {
    for (const part of ['spool', 'home']) mkdirSync(path.join(this.dir, part), { recursive: true });
    this.certificate = selfSigned(this.dir, [this.host, this.guestHost]);
    const values = {
      HOST: this.host,
      LISTEN: '127.0.0.1',
      CERTIFICATE: this.certificate,
      C2S_PORT: this.ports.c2s,
      HTTP_PORT: this.ports.http,
      API_PORT: this.ports.api,
      COMPONENT_PORT: this.ports.component,
      COMPONENT_SECRET: this.secret,
    };
    let sample = fill(SAMPLE, values);
    if (!this.privileged) {
      for (const module of ['mod_privilege', 'mod_delegation']) {
        const without = sample.replace(new RegExp(`^  ${module}:\n(?:    .*\n)*`, 'm'), '');
        if (without === sample) throw new Error(`${module} is not in the sample`);
        sample = without;
      }
    }
    if (this.edit) {
      const edited = this.edit(sample);
      if (edited === sample) throw new Error('what is to be changed is not in the sample');
      sample = edited;
    }
    writeFileSync(path.join(this.dir, 'ejabberd.yml'), sample);
    writeFileSync(path.join(this.dir, 'inetrc'), '{lookup,["file","native"]}.\n');
  }

  /** Starts the node: no systemd, no epmd, no distribution, nothing outside the directory. */
  async boot() {
    const spool = path.join(this.dir, 'spool');
    const env = {
      ...process.env,
      HOME: path.join(this.dir, 'home'),
      EJABBERD_CONFIG_PATH: path.join(this.dir, 'ejabberd.yml'),
      EJABBERD_LOG_PATH: path.join(this.dir, 'ejabberd.log'),
      ERL_INETRC: path.join(this.dir, 'inetrc'),
      ERL_LIBS: libraries(),
      ERL_CRASH_DUMP: '/dev/null',
      ERL_MAX_PORTS: '32000',
    };
    const args = [
      ...erlangOptions(), '+K', 'true', '+S', '2:2', '+sbwt', 'none', '-noinput',
      '-start_epmd', 'false', '-mnesia', 'dir', `"${spool}"`, '-s', 'ejabberd',
    ];
    this.#process = start('erl', args, { env, cwd: spool, log: path.join(this.dir, 'erl.log') });
    await until('ejabberd listens', async () => {
      if (this.#process.exited) throw new Error(`ejabberd ended:\n${this.log()}`);
      const open = await Promise.all(Object.values(this.ports).map((port) => accepts(port)));
      return open.every(Boolean);
    }, { within: 60_000, every: 25 });
  }

  get pid() {
    return this.#process.pid;
  }

  get running() {
    return !this.#process.exited;
  }

  stop() {
    return this.#process.stop();
  }

  /** Ends the node as a power cut would. */
  crash() {
    return this.#process.crash();
  }

  async addUser(name, password) {
    await this.#api('register', { user: name, host: this.host, password });
    return { jid: `${name}@${this.host}`, password };
  }

  /** Puts each into the other's roster, subscribed both ways. */
  async befriend(one, other) {
    await this.addContact(one, `${other}@${this.host}`);
    await this.addContact(other, `${one}@${this.host}`);
  }

  /** Puts an address into the roster of that user, subscribed both ways; `nick` as called there. */
  async addContact(owner, address, nick = address.split('@')[0]) {
    const [user, server] = address.split('@');
    await this.#api('add_rosteritem', {
      localuser: owner, localserver: this.host, user, server, nick, group: '', subs: 'both',
    });
  }

  log() {
    const file = path.join(this.dir, 'ejabberd.log');
    return (existsSync(file) ? readFileSync(file, 'utf8') : '') + this.#process.output;
  }

  async #api(command, body) {
    const answer = await fetch(`http://127.0.0.1:${this.ports.api}/api/${command}`, {
      method: 'POST', body: JSON.stringify(body), signal: AbortSignal.timeout(10_000),
    });
    if (!answer.ok) throw new Error(`${command}: ${answer.status} ${await answer.text()}`);
  }
}

/** Replaces each `@NAME@` of a sample configuration; a name without a value is an error. */
export function fill(file, values) {
  return readFileSync(file, 'utf8').replace(/@([A-Z0-9_]+)@/g, (_, name) => {
    if (!(name in values)) throw new Error(`${file}: no value for @${name}@`);
    return values[name];
  });
}

/** A certificate for these names and 127.0.0.1, with its key, in one PEM file. */
export function selfSigned(dir, names) {
  const pem = path.join(dir, 'server.pem');
  const out = execFileSync('openssl', [
    'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes',
    '-days', '30', '-subj', `/CN=${names[0]}`, '-keyout', '-', '-out', '-',
    '-addext', `subjectAltName=IP:127.0.0.1,${names.map((name) => `DNS:${name}`).join()}`,
  ], { stdio: ['ignore', 'pipe', 'ignore'] });
  writeFileSync(pem, out, { mode: 0o600 });
  return pem;
}

/** Where Debian keeps ejabberd and its Erlang libraries: the name holds the architecture. */
function libraries() {
  const places = readdirSync('/usr/lib').map((name) => path.join('/usr/lib', name));
  const found = places.find((place) => {
    try {
      return readdirSync(place).some((name) => name.startsWith('ejabberd-'));
    } catch {
      return false;
    }
  });
  if (!found) throw new Error('ejabberd is not installed: apt-get install ejabberd');
  return found;
}

/** What ejabberd-config/ejabberdctl.cfg adds to Erlang's command line. */
function erlangOptions() {
  const [, options] = readFileSync(CONTROL, 'utf8').match(/^ERL_OPTIONS="(.*)"$/m);
  return options.split(' ');
}

const CONFIG = path.resolve(import.meta.dirname, '../../ejabberd-config');
const SAMPLE = path.join(CONFIG, 'ejabberd.yml');
const CONTROL = path.join(CONFIG, 'ejabberdctl.cfg');
