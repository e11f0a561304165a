// Child processes that cannot be left behind, free ports, bounded waits.

import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import net from 'node:net';
import os from 'node:os';

/**
 * Starts a process whose output goes to a file and is kept in memory for the report of a failure.
 * It is ended by its own pid when this process ends, however it ends short of SIGKILL.
 * @param {string} command
 * @param {string[]} args
 * @param {{env?: object, cwd?: string, log: string}} options
 */
export function start(command, args, { env = process.env, cwd, log }) {
  // In a group of its own: a Ctrl-C in the terminal is for us, who then end it in order.
  const child = spawn(command, args, {
    env, cwd, stdio: ['ignore', 'pipe', 'pipe'], detached: true,
  });
  const file = createWriteStream(log, { flags: 'a' });
  const started = {
    pid: child.pid,
    output: '',
    exited: false,
    exit: new Promise((resolve) => {
      const ended = (code, signal) => {
        started.exited = true;
        alive.delete(child);
        resolve(signal ?? code);
      };
      child.once('exit', ended);
      child.once('error', (error) => {
        started.output += `${command}: ${error.message}\n`;
        ended(-1);
      });
    }),
    /** SIGTERM, then SIGKILL when that takes longer than `patience` ms. */
    async stop(patience = 5000) {
      if (started.exited) return;
      child.kill('SIGTERM');
      const forced = setTimeout(() => child.kill('SIGKILL'), patience);
      await started.exit;
      clearTimeout(forced);
    },
    /** SIGKILL at once: a crash. */
    async crash() {
      child.kill('SIGKILL');
      await started.exit;
    },
  };
  alive.add(child);
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8');
    stream.on('data', (text) => {
      started.output = (started.output + text).slice(-OUTPUT_KEPT);
      file.write(text);
    });
  }
  return started;
}

/**
 * Ports that were free a moment ago, all different. They are none of those that the system gives by
 * itself: a browser beside us would take one before our server is up.
 */
export async function freePorts(count) {
  const servers = [];
  while (servers.length < count) {
    const server = net.createServer();
    const listens = await new Promise((resolve, reject) => {
      server.once('error', (error) => (error.code === 'EADDRINUSE' ? resolve(false) : reject(error)));
      server.listen(FIRST_PORT + Math.floor(Math.random() * PORTS), '127.0.0.1', () => resolve(true));
    });
    if (listens) servers.push(server);
  }
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** Below those of `net.ipv4.ip_local_port_range`, and above the last that browsers refuse (10080). */
const FIRST_PORT = 11_000;
const PORTS = 21_000;

/** Whether something accepts TCP connections there. */
export function accepts(port, host = '127.0.0.1') {
  return new Promise((resolve) => {
    const socket = net.connect({ port, host, timeout: 1000 });
    const done = (answer) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => done(true));
    socket.once('error', () => done(false));
    socket.once('timeout', () => done(false));
  });
}

/**
 * Waits until `probe` gives something true and returns it; fails with `what` after `within` ms.
 * @template T
 * @param {string} what
 * @param {() => T | Promise<T>} probe
 * @param {{within?: number, every?: number}} [options]
 * @returns {Promise<T>}
 */
export async function until(what, probe, { within = 10_000, every = 50 } = {}) {
  const deadline = Date.now() + within;
  for (;;) {
    const found = await probe();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`not within ${within} ms: ${what}`);
    await sleep(every);
  }
}

/** Gives what `promise` gives, or fails with `what` after `within` ms. */
export function within(what, promise, ms = 10_000) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${ms} ms: ${what}`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** The IPv4 address of this machine that media uses; loopback where there is no other. */
export function ownAddress() {
  const all = Object.values(os.networkInterfaces()).flat();
  return all.find((a) => a.family === 'IPv4' && !a.internal)?.address ?? '127.0.0.1';
}

const OUTPUT_KEPT = 200_000;
const alive = new Set();

process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.once(signal, () => process.exit(1));
}
