// What a test needs around it: a server, Campana, a browser, people with accounts.

import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before } from 'node:test';

import { launchBrowser } from './browser.mjs';
import { startCampana } from './campana.mjs';
import { startEjabberd } from './ejabberd.mjs';
import { launchFirefox } from './firefox.mjs';
import { connectJingle } from './jingle.mjs';
import { ownAddress } from './process.mjs';
import { connectXmpp, isPresence } from './xmpp.mjs';

/** How to start each. */
const BROWSERS = { chromium: launchBrowser, firefox: launchFirefox };

/**
 * A world of its own for one test file: made before its first test, ended after its last.
 * @param {{config?: object, startServer?: Function}} [options] `config` is laid over Campana's
 *   configuration; the server is ejabberd if none is given
 */
export function testWorld(options) {
  const world = new World();
  before(async () => {
    await world.open(options);
    for (const prepare of world.preparations) await prepare();
  });
  after(() => world.close());
  return world;
}

export class World {
  /** What runs before the first test: hooks of their own would not wait for each other. */
  preparations = [];
  #browsers = new Map();
  #closing = [];

  before(prepare) {
    this.preparations.push(prepare);
  }

  /** What is to be ended at the end, before the server. */
  closing(close) {
    this.#closing.push(close);
  }

  async open({ config, startServer = startEjabberd } = {}) {
    const name = path.basename(process.argv[1] ?? 'world').replace(/\..*$/, '');
    const base = process.env.CAMPANA_TEST_DIR ?? tmpdir();
    this.dir = mkdtempSync(path.join(base, `campana-${name}-`));
    mkdirSync(path.join(this.dir, 'server'), { recursive: true });
    this.server = await startServer({ dir: path.join(this.dir, 'server') });
    this.campana = await startCampana({
      dir: path.join(this.dir, 'campana'), server: this.server, config,
    });
  }

  /** Registers a person; the name is made unique. */
  person(name) {
    return this.server.addUser(`${name}-${randomBytes(3).toString('hex')}`, 'wherefore');
  }

  /** Makes two people contacts of each other. */
  befriend(one, other) {
    const [left, right] = [one, other].map(({ jid }) => jid.split('@')[0]);
    return this.server.befriend(left, right);
  }

  /**
   * Each of the two asks to see the other, who grants it, with clients that then leave.
   * @param {object} one
   * @param {object} other
   * @param {(person: object) => string} [at] where: at their own addresses unless it says otherwise
   */
  async introduce(one, other, at = ({ jid }) => jid) {
    const people = [one, other];
    const clients = await Promise.all(people.map(async (person) => {
      const client = await this.script(person, { resource: 'introduction' });
      // Prosody tells of subscriptions only those who have asked for the roster (RFC 6121 §2.2).
      await client.request(`<iq type='get'><query xmlns='jabber:iq:roster'/></iq>`);
      client.send(`<presence xmlns='jabber:client'/>`);
      return client;
    }));
    for (const [asker, asked] of [[0, 1], [1, 0]]) {
      const [from, to] = [at(people[asker]), at(people[asked])];
      clients[asker].send(`<presence xmlns='jabber:client' type='subscribe' to='${to}'/>`);
      await clients[asked].next('the request', isPresence('subscribe', from));
      clients[asked].send(`<presence xmlns='jabber:client' type='subscribed' to='${from}'/>`);
      await clients[asker].next('the approval', isPresence('subscribed', to));
    }
    for (const client of clients) await client.close();
  }

  /**
   * A web page of that person, logged in and announced; of nobody yet without a person.
   * @param {object} [person]
   * @param {{tone?: number, carry?: boolean, link?: string, url?: string, browser?: 'chromium' | 'firefox',
   *   network?: object}} [options] `carry`: it takes calls at her own address; `link` is what follows the
   *   page's address, `url` another page's; BROWSER chooses where the test does not; `network` of
   *   `elsewhere.mjs` is where that browser runs
   */
  async page(person, { tone, carry, link, url, browser = process.env.BROWSER ?? 'chromium', network } = {}) {
    const key = `${browser} ${network?.name ?? 'here'}`;
    if (!this.#browsers.has(key)) this.#browsers.set(key, BROWSERS[browser]({ network }));
    const launched = await this.#browsers.get(key);
    const device = await launched.device({ url: url ?? this.campana.url, ...person, tone, carry, link });
    this.#closing.push(() => device.close());
    return device;
  }

  /** A Jingle client of that person, available. */
  async jingle(person, options = {}) {
    const client = await connectJingle({ websocket: this.server.websocket, ...person, ...options });
    this.#closing.push(() => client.close());
    return client;
  }

  /** A client of that person which says only what the test tells it to. */
  async script(person, options = {}) {
    const client = await connectXmpp({ websocket: this.server.websocket, ...person, ...options });
    this.#closing.push(() => client.close());
    return client;
  }

  /** Campana's TURN server. */
  get relay() {
    return { address: ownAddress(), port: this.campana.ports.turn };
  }

  /** Where to call a person through Campana. */
  addressOf(person) {
    return this.campana.addressOf(person.jid);
  }

  async close() {
    for (const close of this.#closing.reverse()) await close().catch(() => {});
    for (const browser of this.#browsers.values()) {
      await browser.then((launched) => launched.close()).catch(() => {});
    }
    await this.campana?.stop();
    await this.server?.stop();
    // Where a place was given, the logs stay.
    if (!process.env.CAMPANA_TEST_DIR) rmSync(this.dir, { recursive: true, force: true });
  }
}
