// A network of its own, one cable away from this machine: a network namespace. It takes root.

import { execFileSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { start, until } from './process.mjs';
import { HERE, Wire } from './wire.mjs';

/** Lays the cable. Browsers see 127.0.0.1 there as here: pages of other hosts get no microphone. */
export async function openNetwork({ dir, ports }) {
  const network = new Network(dir, ports);
  try {
    await network.open();
  } catch (error) {
    await network.close();
    throw error;
  }
  return network;
}

class Network {
  #dir;
  #ports;
  /** Two networks at once do not meet. */
  #name = `campana${process.pid}`;
  #prefix = `10.${200 + (process.pid >> 8) % 55}.${process.pid % 256}`;
  #cable = `cmp${process.pid}`;
  #wires = [];
  #inside = null;
  host = 2;

  constructor(dir, ports) {
    this.#dir = dir;
    this.#ports = ports;
  }

  /** What the browser there has. */
  get address() {
    return this.#addressOf(this.host);
  }

  async open() {
    if (process.getuid() !== 0) throw new Error('network namespaces take root');
    const [here, there] = [`${this.#cable}a`, `${this.#cable}b`];
    ip('netns', 'add', this.#name);
    ip('link', 'add', here, 'type', 'veth', 'peer', 'name', there, 'netns', this.#name);
    ip('address', 'add', `${this.#addressOf(1)}/24`, 'dev', here);
    ip('link', 'set', here, 'up');
    this.#in('link', 'set', 'lo', 'up');
    this.plugIn();
  }

  /**
   * Makes the servers' ports reachable there, and this machine's port `debugging` lead to that of a
   * browser there.
   */
  async join(debugging) {
    const [gateway, socket] = [this.#addressOf(1), path.join(this.#dir, 'debugging')];
    for (const port of this.#ports) {
      this.#wires.push(new Wire({ port, host: gateway }, { port, host: HERE }));
    }
    this.#wires.push(new Wire({ port: debugging, host: HERE }, { path: socket }));
    await Promise.all(this.#wires.map(({ opened }) => opened));
    const inside = this.#ports.map((port) => [{ port, host: HERE }, { port, host: gateway }]);
    inside.push([{ path: socket }, { port: debugging, host: HERE }]);
    this.#inside = start('ip', [
      'netns', 'exec', this.#name, process.execPath, path.join(import.meta.dirname, 'wire.mjs'), JSON.stringify(inside),
    ], { log: path.join(this.#dir, 'elsewhere.log') });
    await until('the wires are laid', () => {
      if (this.#inside.exited) throw new Error(this.#inside.output);
      return this.#inside.output.includes('laid');
    });
  }

  /** A program that runs that one there. */
  program(executable) {
    const file = path.join(this.#dir, `${path.basename(executable)}-elsewhere`);
    writeFileSync(file, `#!/bin/sh\nexec ip netns exec ${this.#name} ${executable} "$@"\n`);
    chmodSync(file, 0o755);
    return file;
  }

  /** The cable is out, and with it the address. */
  unplug() {
    this.#in('link', 'set', `${this.#cable}b`, 'down');
    this.#in('address', 'flush', 'dev', `${this.#cable}b`);
  }

  /** The cable is in again; a new network gives a new address. */
  plugIn({ host = this.host } = {}) {
    this.host = host;
    this.#in('address', 'add', `${this.address}/24`, 'dev', `${this.#cable}b`);
    this.#in('link', 'set', `${this.#cable}b`, 'up');
    this.#in('route', 'add', 'default', 'via', this.#addressOf(1));
  }

  async close() {
    await this.#inside?.stop();
    await Promise.all(this.#wires.map((wire) => wire.close()));
    try {
      ip('netns', 'delete', this.#name); // The cable goes with it.
    } catch {
      // It was never made.
    }
  }

  #addressOf(host) {
    return `${this.#prefix}.${host}`;
  }

  #in(...args) {
    ip('-n', this.#name, ...args);
  }
}

function ip(...args) {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}
