// The Jingle client of `jingle.mjs` in another network: a process of its own, told what to do.

import { fork } from 'node:child_process';

import { PAGE_TONE, PEER_TONE } from './expect.mjs';
import { connectJingle } from './jingle.mjs';
import { within } from './process.mjs';

/**
 * Logs in from there.
 * @param {{network: object, websocket: string, jid: string, password: string}} account and whatever else
 *   {@link connectJingle} takes; `network` of `islands.mjs` or `elsewhere.mjs`
 */
export async function connectDistant({ network, ...account }) {
  const client = new DistantJingle(network);
  client.jid = await client.ask('login', [account], 30_000);
  return client;
}

class DistantJingle {
  /** Its full address. */
  jid = '';
  #child;
  #asked = 0;
  #answers = new Map();
  #calls = new Map();

  constructor(network) {
    const [command, ...args] = [...network.inside, process.execPath];
    this.#child = fork(import.meta.filename, [], { execPath: command, execArgv: args, detached: true });
    process.on('exit', () => this.#child.kill('SIGKILL'));
    this.#child.on('message', ({ asked, value, error, calls }) => {
      for (const [number, state] of calls ?? []) this.#calls.get(number)?.update(state);
      if (asked === undefined) return;
      const { resolve, reject } = this.#answers.get(asked);
      this.#answers.delete(asked);
      if (error) reject(new Error(error));
      else resolve(value);
    });
  }

  async place(address, options) {
    return this.#call(await this.ask('place', [address, options]));
  }

  async incoming(patience = 10_000) {
    return this.#call(await this.ask('incoming', [patience], patience + 5000));
  }

  reach(address) {
    return this.ask('reach', [address]);
  }

  /** Has it do something; gives what comes of it. */
  ask(what, args = [], patience = 15_000) {
    this.#asked += 1;
    const asked = this.#asked;
    const answer = new Promise((resolve, reject) => this.#answers.set(asked, { resolve, reject }));
    this.#child.send({ asked, what, args });
    return within(`the distant client: ${what}`, answer, patience);
  }

  async close() {
    if (this.#child.exitCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.ask('close').catch(() => {});
    await within('its end', ended, 5000).catch(() => this.#child.kill('SIGKILL'));
  }

  #call({ number, peer }) {
    const call = new DistantCall(this, number, peer);
    this.#calls.set(number, call);
    return call;
  }
}

/** As far as tests look at a call, it looks like one here. */
class DistantCall {
  ringing = false;
  accepted = false;
  connected = false;
  ended = null;
  audio = null;
  video = null;

  constructor(client, number, peer) {
    this.peer = peer;
    for (const name of METHODS) {
      this[name] = (...args) => client.ask('call', [number, name, args]);
    }
  }

  update({ tones, frames, pictures, ...state }) {
    Object.assign(this, state);
    this.audio = { frames, tone: (frequency) => tones[frequency] };
    this.video = { frames: pictures };
  }
}

const METHODS = ['ring', 'accept', 'decline', 'hangUp', 'restartIce', 'turnOnCamera', 'path'];

// In the process of its own.
if (process.argv[1] === import.meta.filename) {
  let client;
  const calls = [];
  const keep = (call) => ({ number: calls.push(call) - 1, peer: call.peer });
  const actions = {
    async login(account) {
      client = await connectJingle(account);
      return client.jid;
    },
    reach: (address) => client.reach(address),
    place: async (address, options) => keep(await client.place(address, options)),
    incoming: async (patience) => keep(await client.incoming(patience)),
    call: (number, name, args) => calls[number][name](...args),
    async close() {
      await client?.close();
      // The WebRTC stack crashes when it is unloaded.
      setTimeout(() => process.kill(process.pid, 'SIGKILL'), 100);
    },
  };
  const states = () => calls.map(({ ringing, accepted, connected, ended, audio, video }, number) => [number, {
    ringing, accepted, connected, ended, frames: audio?.frames ?? 0, pictures: video?.frames ?? 0,
    tones: Object.fromEntries([PAGE_TONE, PEER_TONE].map((tone) => [tone, audio?.tone(tone) ?? 0])),
  }]);
  setInterval(() => process.send({ calls: states() }), 50);
  process.on('message', async ({ asked, what, args }) => {
    try {
      const value = await actions[what](...args);
      process.send({ asked, value, calls: states() });
    } catch (error) {
      process.send({ asked, error: `${error.stack}` });
    }
  });
  process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
}
