// Two networks of their own with one cable between them: network namespaces. It takes root. Nothing of
// it is seen in this machine's own network, where other tests are.

import { execFileSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { freePorts, start, until } from './process.mjs';
import { HERE, Wire } from './wire.mjs';

/**
 * Lays the cable. The tests' servers are reached in both at the ports that they have here: in `near` at
 * once, in `far` over the cable.
 * @param {{dir: string, ports: number[]}} options
 */
export async function openNetworks({ dir, ports }) {
  if (process.getuid() !== 0) throw new Error('network namespaces take root');
  const [one, other] = await freePorts(2);
  const networks = new Networks(dir, new Network(dir, 'near', one), new Network(dir, 'far', other));
  try {
    await networks.open(ports);
  } catch (error) {
    await networks.close();
    throw error;
  }
  return networks;
}

class Networks {
  #dir;
  #prefix = `10.${200 + ((process.pid >> 8) % 55)}.${process.pid % 256}`;
  #host = 2;
  #wires = [];

  constructor(dir, near, far) {
    this.#dir = dir;
    this.near = near;
    this.far = far;
  }

  /** What `far` has. */
  get address() {
    return `${this.#prefix}.${this.#host}`;
  }

  async open(ports) {
    const { near, far } = this;
    for (const network of [near, far]) network.add();
    ip('-n', near.name, 'link', 'add', CABLE, 'type', 'veth', 'peer', 'name', CABLE, 'netns', far.name);
    near.ip('address', 'add', `${this.#prefix}.1/24`, 'dev', CABLE);
    near.ip('link', 'set', CABLE, 'up');
    near.ip('route', 'add', 'default', 'dev', CABLE); // Firefox looks where it leads.
    this.plugIn();

    // Sockets in the file system lead from one network to another.
    const socket = (port) => path.join(this.#dir, `${port}.socket`);
    for (const port of ports) this.#wires.push(new Wire({ path: socket(port) }, { port, host: HERE }));
    for (const { debuggingPort: port } of [near, far]) {
      this.#wires.push(new Wire({ port, host: HERE }, { path: socket(port) }));
    }
    await Promise.all(this.#wires.map(({ opened }) => opened));
    const gateway = `${this.#prefix}.1`;
    await near.lay([
      ...ports.flatMap((port) => [HERE, gateway].map((host) => [{ port, host }, { path: socket(port) }])),
      [{ path: socket(near.debuggingPort) }, { port: near.debuggingPort, host: HERE }],
    ]);
    await far.lay([
      // Browsers give a microphone to pages of this host only.
      ...ports.map((port) => [{ port, host: HERE }, { port, host: gateway }]),
      [{ path: socket(far.debuggingPort) }, { port: far.debuggingPort, host: HERE }],
    ]);
  }

  /** The cable is out, and with it the address. */
  unplug() {
    this.far.ip('link', 'set', CABLE, 'down');
    this.far.ip('address', 'flush', 'dev', CABLE);
  }

  /** The cable is in; another network gives another address. */
  plugIn({ another = false } = {}) {
    if (another) this.#host += 1;
    this.far.ip('address', 'add', `${this.address}/24`, 'dev', CABLE);
    this.far.ip('link', 'set', CABLE, 'up');
    this.far.ip('route', 'add', 'default', 'via', `${this.#prefix}.1`);
  }

  /** RTP and RTCP to that port of `far` are lost; STUN is not, so that ICE finds nothing wrong. @param {number} port */
  deafen(port) {
    // The first two bits tell them apart (RFC 7983 §7); in front of them are the 64 of UDP's head.
    const rules = `table inet deaf {
      chain input { type filter hook input priority 0; udp dport ${port} @th,64,2 2 drop; }
    }`;
    execFileSync('ip', ['netns', 'exec', this.far.name, 'nft', '-f', '-'], { input: rules, stdio: ['pipe', 'ignore', 'pipe'] });
  }

  async close() {
    await Promise.all(this.#wires.map((wire) => wire.close()));
    for (const network of [this.near, this.far]) await network.close();
  }
}

/** Where a program may run. */
export class Network {
  #dir;
  #inside = [];

  /** @param {string} dir @param {string} name @param {number} [debuggingPort] of a browser there; here, too */
  constructor(dir, name, debuggingPort) {
    this.#dir = dir;
    this.name = `campana-${name}-${process.pid}`;
    this.debuggingPort = debuggingPort;
  }

  /** What comes before a command that is to run there. */
  get inside() {
    return ['ip', 'netns', 'exec', this.name];
  }

  add() {
    ip('netns', 'add', this.name);
    this.ip('link', 'set', 'lo', 'up');
  }

  /** A program that runs that one there. @param {string} executable */
  program(executable) {
    const file = path.join(this.#dir, `${path.basename(executable)}-${this.name}`);
    writeFileSync(file, `#!/bin/sh\nexec ${this.inside.join(' ')} ${executable} "$@"\n`);
    chmodSync(file, 0o755);
    return file;
  }

  /** Lays wires there. @param {[object, object][]} wires */
  async lay(wires) {
    const script = path.join(import.meta.dirname, 'wire.mjs');
    const [command, ...args] = [...this.inside, process.execPath, script, JSON.stringify(wires)];
    const laid = start(command, args, { log: path.join(this.#dir, `${this.name}.log`) });
    this.#inside.push(laid);
    await until('the wires are laid', () => {
      if (laid.exited) throw new Error(laid.output);
      return laid.output.includes('laid');
    });
  }

  /** @param {string[]} args */
  ip(...args) {
    ip('-n', this.name, ...args);
  }

  async close() {
    for (const inside of this.#inside) await inside.stop();
    try {
      ip('netns', 'delete', this.name); // The cable goes with it.
    } catch {
      // It was never made.
    }
  }
}

export function ip(...args) {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

/** What the end of a cable is called there. */
export const CABLE = 'cable';
