// Networks that reach this machine and not each other: whoever is in one talks to whoever is in another
// through TURN or not at all. The test that makes them runs in a network of its own (run.mjs), so that
// nothing of it is seen where other tests are.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { after } from 'node:test';

import { startEjabberd } from './ejabberd.mjs';
import { CABLE, Network, ip } from './elsewhere.mjs';
import { accepts } from './process.mjs';
import { HERE, Wire } from './wire.mjs';
import { testWorld } from './world.mjs';

/**
 * A world whose servers are reached from two islands.
 * @param {{startServer?: Function, config?: object}} [options] as of `testWorld`
 */
export function apartWorld({ startServer = startEjabberd, config } = {}) {
  let islands = {};
  const world = testWorld({
    config,
    startServer: (options) => {
      islands = openIslands({ dir: options.dir, names: ['near', 'far'] });
      return startServer(options);
    },
  });
  after(async () => {
    for (const island of Object.values(islands)) await island.close();
  });
  world.before(async () => {
    Object.assign(world, islands);
    for (const island of Object.values(islands)) {
      await island.reach([world.campana.ports.http, world.server.ports.http]);
    }
  });
  return world;
}

/**
 * Makes islands of these names, with a cable to each. To be called before a world is opened, whose
 * servers are then told to people at an address that every island reaches.
 * @param {{dir: string, names: string[]}} options
 */
function openIslands({ dir, names }) {
  assert.equal(process.env.CAMPANA_TEST_APART, 'yes', 'run.mjs gives this test a network of its own');
  // Between islands nothing is passed on.
  writeFileSync(FORWARDING, '0');
  assert.equal(readFileSync(FORWARDING, 'utf8').trim(), '0');
  const islands = Object.fromEntries(names.map((name, at) => [name, new Island(dir, name, at)]));
  for (const island of Object.values(islands)) island.open();
  return islands;
}

class Island extends Network {
  #bridge;
  #subnet;
  #wires = [];

  constructor(dir, name, at) {
    super(dir, name);
    // Of this process alone: several tests may share the network between them.
    this.#subnet = `10.${100 + (process.pid % 100)}.${((process.pid >> 4) % 100) * 2 + at}`;
    this.#bridge = `to-${name}-${process.pid % 10_000}`;
  }

  /** Its own. */
  get address() {
    return `${this.#subnet}.2`;
  }

  open() {
    this.add();
    ip('link', 'add', this.#bridge, 'type', 'veth', 'peer', 'name', CABLE, 'netns', this.name);
    ip('address', 'add', `${this.#subnet}.1/24`, 'dev', this.#bridge);
    ip('link', 'set', this.#bridge, 'up');
    this.ip('address', 'add', `${this.address}/24`, 'dev', CABLE);
    this.ip('link', 'set', CABLE, 'up');
    this.ip('route', 'add', 'default', 'via', `${this.#subnet}.1`);
  }

  /**
   * The tests' servers are reached there at the ports that they have here; `elsewhere` maps addresses
   * of its own to ports here.
   * @param {number[]} ports
   * @param {[{host: string, port: number}, number][]} [elsewhere]
   */
  async reach(ports, elsewhere = []) {
    const bridge = (port) => ({ port, host: `${this.#subnet}.1` });
    const all = [...new Set([...ports, ...elsewhere.map(([, port]) => port)])];
    // Prosody listens everywhere.
    const open = await Promise.all(all.map((port) => accepts(port, bridge(port).host)));
    const wires = all.filter((_, at) => !open[at]).map((port) => new Wire(bridge(port), { port, host: HERE }));
    this.#wires.push(...wires);
    await Promise.all(wires.map(({ opened }) => opened));
    await this.lay([
      ...ports.map((port) => [{ port, host: HERE }, bridge(port)]),
      ...elsewhere.map(([from, port]) => [from, bridge(port)]),
    ]);
  }

  /** Datagrams that come and go are counted from now on: those of the server at that port, and others. */
  countDatagrams(port) {
    this.#nft(['-f', '-'], `table inet datagrams {
      counter received {}
      counter sent {}
      counter strange {}
      chain input {
        type filter hook input priority 0;
        iifname ${CABLE} udp sport ${port} counter name received accept
        ip daddr ${this.address} meta l4proto udp counter name strange
      }
      chain output { type filter hook output priority 0; udp dport ${port} counter name sent; }
    }`);
  }

  /** How many: from that server and to it, and from anybody else. */
  datagrams() {
    const { nftables } = JSON.parse(this.#nft(['-j', 'list', 'counters']));
    const counters = nftables.flatMap(({ counter }) => counter ?? []);
    return Object.fromEntries(counters.map(({ name, packets }) => [name, packets]));
  }

  async close() {
    await Promise.all(this.#wires.map((wire) => wire.close()));
    await super.close();
  }

  #nft(args, input = '') {
    const [command, ...rest] = [...this.inside, 'nft', ...args];
    return execFileSync(command, rest, { input, encoding: 'utf8' });
  }
}

const FORWARDING = '/proc/sys/net/ipv4/ip_forward';
