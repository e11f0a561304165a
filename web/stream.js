// The XMPP stream of one tab, by Strophe.js: over a WebSocket (RFC 7395), or BOSH (XEP-0206) where a
// network lets none through. It comes back after a loss, by stream management (XEP-0198) as if it had
// never been away.

import { $iq, Strophe } from 'strophe.js';

import { discover } from './discovery.js';
import { CampanaError } from './errors.js';
import { NS, child, domain, element, randomId, stanzaError } from './stanza.js';

/**
 * @typedef {object} Account
 * @property {string} jid `user@domain`, or a domain alone to come as a guest
 * @property {string} [password]
 * @property {string} [websocket] address of the server's WebSocket; without it and `bosh` the domain
 *   is asked (XEP-0156)
 * @property {string} [bosh] address of the server's BOSH, tried when the WebSocket does not open
 * @property {string} [resource] of this tab; made up if not given
 *
 * @typedef {(stanza: Element) => void} Listener
 */

/**
 * Events: `online` (detail: `{ resumed }`), `offline`, and `closed` (detail: why, a
 * {@link CampanaError}, or undefined when it was asked for) once nothing more is tried.
 */
export class Stream extends EventTarget {
  /** @type {'closed' | 'connecting' | 'online' | 'offline'} */
  state = 'closed';
  /** How long to wait at most between two attempts to return, in ms. */
  longestWait = WAITS.idle;

  #account;
  #jid = '';
  /** @type {InstanceType<typeof Strophe.Connection> | null} */
  #connection = null;
  /** What works, once it is known. */
  #address = '';
  /** @type {Map<string, Request>} */
  #requests = new Map();
  /** Replies to requests of late, or null while there is none. @type {Map<string, Element | null>} */
  #replies = new Map();
  /** @type {[Listener, string | null, string, string[] | null][]} */
  #listeners = [];
  /** Stream management's memory; not the browser's, which a duplicated tab would share. */
  #memory = new Map();
  #heard = 0;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #pulse;
  /** Ends the wait before the next attempt. */
  #hurry = () => {};
  /** What a browser says of its network. */
  #onNetwork = () => this.check();

  /** @param {Account} account */
  constructor(account) {
    super();
    this.#account = account;
    const { jid, resource } = account;
    // A resource of our own: the address, and with it the calls, outlives a lost connection.
    this.#jid = this.isGuest ? jid : `${Strophe.getBareJidFromJid(jid)}/${resource ?? `web-${randomId(4)}`}`;
  }

  /** Our full address, once online. */
  get jid() {
    return this.#jid;
  }

  /** Without an account; a guest who comes back is someone else. */
  get isGuest() {
    return !this.#account.jid.includes('@');
  }

  get online() {
    return this.state === 'online';
  }

  /** Logs in; rejects with a {@link CampanaError}. */
  async open() {
    this.state = 'connecting';
    try {
      await this.#find();
    } catch (error) {
      this.state = 'closed';
      throw error;
    }
    this.#become('online', { resumed: false });
    globalThis.addEventListener?.('online', this.#onNetwork);
    this.#pulse = setInterval(() => {
      if (this.online && Date.now() - this.#heard > PULSE) this.#probe(PATIENCE.pulse);
    }, PULSE / 2);
  }

  /** There is reason to think that the network changed: looks at once whether it still works. */
  check() {
    this.#hurry();
    if (this.online) this.#probe(PATIENCE.probe);
  }

  /** Ends it, as far as a closing page allows. */
  close() {
    this.#end();
  }

  /**
   * Calls `listener` for each stanza of that kind, on this connection and those after it.
   * @param {Listener} listener
   * @param {string} name `iq`, `message` or `presence`
   * @param {{namespace?: string, types?: string[]}} [which] of a child element, and of the stanza
   */
  listen(listener, name, { namespace, types } = {}) {
    /** @type {[Listener, string | null, string, string[] | null]} */
    const entry = [listener, namespace ?? null, name, types ?? null];
    this.#listeners.push(entry);
    if (this.online) this.#attach(entry);
  }

  /** @param {Element} stanza */
  send(stanza) {
    this.#connection?.send(stanza);
  }

  /**
   * Sends an IQ and gives the reply; while the connection is away it waits for its return.
   * @param {string} to empty for our own server's account
   * @param {'get' | 'set'} type
   * @param {Element} payload
   * @param {number} [patience] in ms
   * @returns {Promise<Element>} rejects with a {@link CampanaError}
   */
  request(to, type, payload, patience = PATIENCE.reply) {
    // At once where possible: a page that closes gets no second chance.
    return this.online
      ? this.exchange(to, type, payload, patience)
      : this.#returned().then(() => this.exchange(to, type, payload, patience));
  }

  /**
   * The same, now or never.
   * @param {string} to
   * @param {'get' | 'set'} type
   * @param {Element} payload
   * @param {number} [patience]
   * @returns {Promise<Element>}
   */
  exchange(to, type, payload, patience = PATIENCE.reply) {
    return new Promise((resolve, reject) => {
      // Nobody can guess it: a reply with this id is from whom it was sent to.
      const id = randomId(12);
      const timer = setTimeout(() => {
        this.#requests.delete(id);
        reject(new CampanaError('timeout', `${to || 'the server'} did not answer in time`));
      }, patience);
      this.#requests.set(id, { resolve, reject, timer });
      this.send($iq(to ? { id, to, type } : { id, type }).cnode(payload).tree());
    });
  }

  /**
   * Whether a request came before, as one under way does when its sender's link breaks: then it is
   * answered as it was, or will be, and is not to be acted on.
   * @param {Element} iq
   */
  repeats(iq) {
    const key = requestKey(iq);
    const reply = this.#replies.get(key);
    if (reply) this.send(/** @type {Element} */ (reply.cloneNode(true)));
    if (reply !== undefined) return true;
    this.#replies.set(key, null);
    const [oldest] = this.#replies.keys();
    if (this.#replies.size > MOST_REPLIES) this.#replies.delete(oldest);
    return false;
  }

  /** @param {Element} iq @param {Element} [payload] */
  answer(iq, payload) {
    this.#reply(iq, 'result', payload);
  }

  /** @param {Element} iq @param {string} condition @param {string} [text] */
  refuse(iq, condition, text) {
    const error = element('error', { type: 'cancel' }, element(condition, { xmlns: NS.errors }));
    if (text) error.append(element('text', { xmlns: NS.errors }, text));
    this.#reply(iq, 'error', error);
  }

  /** A result, or this error. @param {Element} iq @param {Element} [error] */
  reply(iq, error) {
    this.#reply(iq, error ? 'error' : 'result', error);
  }

  /** @param {Element} iq @param {'result' | 'error'} type @param {Element} [payload] */
  #reply(iq, type, payload) {
    const reply = $iq({ ...addressed(iq), type });
    const stanza = (payload ? reply.cnode(payload) : reply).tree();
    const key = requestKey(iq);
    if (this.#replies.has(key)) this.#replies.set(key, stanza);
    this.send(stanza);
  }

  /** Logs in wherever the server can be reached. */
  async #find() {
    const { websocket, bosh, jid } = this.#account;
    const known = websocket || bosh ? { websocket, bosh } : await discover(domain(jid));
    const addresses = [known.websocket, known.bosh].filter((address) => address !== undefined);
    let first;
    for (const address of addresses) {
      try {
        await this.#login(address);
        this.#address = address;
        return;
      } catch (error) {
        if (!(error instanceof CampanaError) || error.code !== 'unreachable') throw error;
        first ??= error;
      }
    }
    throw first;
  }

  /**
   * @param {string} address
   * @param {number} [patience] in ms
   * @returns {Promise<{resumed: boolean}>}
   */
  #login(address, patience = PATIENCE.login) {
    this.#connection = null;
    const connection = new Strophe.Connection(address, {
      enableStreamManagement: !this.isGuest,
      streamManagement: { storage: this.#storage(), max: RESUME_SECONDS },
    });
    this.#connection = connection;
    return new Promise((resolve, reject) => {
      const unreachable = (/** @type {string | null} */ why) => new CampanaError(
        'unreachable', `no connection to ${address}: ${why ?? 'closed'}`,
      );
      const timer = setTimeout(() => {
        reject(unreachable('no answer in time'));
        if (this.#connection === connection) this.#connection = null;
        connection.disconnect('timeout');
      }, patience);
      const settled = () => clearTimeout(timer);
      connection.connect(this.#jid, this.#account.password ?? '', (status, condition) => {
        if (this.#connection !== connection) return; // Of an attempt that was given up.
        if (status === Strophe.Status.CONNECTED) {
          settled();
          this.#jid = connection.jid;
          this.#heard = Date.now();
          connection.rawInput = () => {
            this.#heard = Date.now();
          };
          connection.addHandler((iq) => this.#settle(iq), '', 'iq', ['result', 'error']);
          for (const entry of this.#listeners) this.#attach(entry);
          resolve({ resumed: connection.hasResumed() });
        } else if (status === Strophe.Status.AUTHFAIL) {
          settled();
          reject(new CampanaError('login-refused', condition ?? 'wrong address or password'));
        } else if (status === Strophe.Status.CONNFAIL || status === Strophe.Status.DISCONNECTED) {
          settled();
          reject(unreachable(condition));
          if (status === Strophe.Status.DISCONNECTED) this.#lost();
        } else if (status === Strophe.Status.ERROR && condition === 'conflict') {
          this.#end(new CampanaError('closed', 'somebody logged in under the same address'));
        }
      });
    });
  }

  /** @param {[Listener, string | null, string, string[] | null]} entry */
  #attach([listener, namespace, name, types]) {
    this.#connection?.addHandler((stanza) => {
      // Strophe.js drops a handler that throws.
      try {
        listener(stanza);
      } catch (error) {
        console.error(error);
      }
      return true;
    }, namespace ?? '', name, types);
  }

  /** A reply to one of our requests. @param {Element} iq */
  #settle(iq) {
    const id = iq.getAttribute('id') ?? '';
    const request = this.#requests.get(id);
    if (request) {
      this.#requests.delete(id);
      clearTimeout(request.timer);
      if (iq.getAttribute('type') === 'result') request.resolve(iq);
      else request.reject(stanzaError(iq));
    }
    return true;
  }

  /** The connection is gone: comes back, sooner while somebody waits for it. */
  async #lost() {
    const resumable = this.#memory.size > 0;
    this.#connection = null;
    // With stream management replies come after the return, otherwise never.
    if (!resumable) this.#failRequests();
    if (this.state !== 'online') return;
    if (this.isGuest) {
      this.#end(new CampanaError('lost', 'the connection was lost'));
      return;
    }
    this.#become('offline');
    for (let wait = WAITS.first; this.#is('offline'); wait = Math.min(wait * 2, this.longestWait)) {
      await this.#pause(wait * (0.5 + Math.random() / 2));
      if (!this.#is('offline')) return;
      try {
        const { resumed } = await this.#login(this.#address, PATIENCE.again);
        if (this.#is('offline')) this.#become('online', { resumed });
        return;
      } catch (error) {
        if (error instanceof CampanaError && error.code === 'login-refused') this.#end(error);
      }
    }
  }

  /** Asks the server for a sign of life; silence is a loss. @param {number} patience */
  async #probe(patience) {
    const connection = this.#connection;
    const asked = Date.now();
    try {
      await this.exchange('', 'get', element('ping', { xmlns: NS.ping }), patience);
    } catch (error) {
      const silent = error instanceof CampanaError && error.code === 'timeout' && this.#heard < asked;
      if (!silent || this.#connection !== connection || !this.online) return;
      // Not `disconnect()`, which says good-bye and forgets the session.
      connection?._doDisconnect('timeout');
    }
  }

  /** @param {CampanaError} [why] */
  #end(why) {
    if (this.state === 'closed') return;
    const connection = this.#connection;
    this.#connection = null;
    this.#become('closed', why);
    connection?.disconnect('closed');
    clearInterval(this.#pulse);
    globalThis.removeEventListener?.('online', this.#onNetwork);
    this.#hurry();
    this.#failRequests();
  }

  #failRequests() {
    for (const { reject, timer } of this.#requests.values()) {
      clearTimeout(timer);
      reject(new CampanaError('lost', 'the connection was lost'));
    }
    this.#requests.clear();
  }

  /** @param {number} ms */
  #pause(ms) {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(undefined), ms);
      this.#hurry = () => {
        clearTimeout(timer);
        resolve(undefined);
      };
    });
  }

  /** @returns {Promise<void>} */
  #returned() {
    if (this.state !== 'offline') return Promise.reject(new CampanaError('closed', 'not connected'));
    return new Promise((resolve, reject) => {
      const stop = new AbortController();
      const once = { signal: stop.signal };
      this.addEventListener('online', () => {
        stop.abort();
        resolve();
      }, once);
      this.addEventListener('closed', () => {
        stop.abort();
        reject(new CampanaError('lost', 'the connection was lost'));
      }, once);
    });
  }

  /** What Strophe.js keeps for a resumption: of this stream only, and in memory. */
  #storage() {
    const memory = this.#memory;
    return {
      load: (/** @type {string} */ key) => structuredClone(memory.get(key) ?? null),
      save: (/** @type {string} */ key, /** @type {object} */ state) => {
        memory.set(key, structuredClone(state));
      },
      clear: (/** @type {string} */ key) => {
        memory.delete(key);
      },
    };
  }

  /** @param {string} state */
  #is(state) {
    return this.state === state;
  }

  /** @param {'online' | 'offline' | 'closed'} state @param {unknown} [detail] */
  #become(state, detail) {
    this.state = state;
    this.dispatchEvent(new CustomEvent(state, { detail }));
  }
}

/** @param {Element} iq */
const addressed = (iq) => ({ id: iq.getAttribute('id') ?? '', to: iq.getAttribute('from') ?? '' });

/** @param {Element} iq */
const requestKey = (iq) => `${iq.getAttribute('from')} ${iq.getAttribute('id')}`;

/**
 * @typedef {object} Request
 * @property {(reply: Element) => void} resolve
 * @property {(error: Error) => void} reject
 * @property {ReturnType<typeof setTimeout>} timer
 */

/** That are remembered. */
const MOST_REPLIES = 256;
/** In ms. */
const PATIENCE = { login: 12_000, again: 6000, reply: 20_000, pulse: 10_000, probe: 3000 };
/** Between signs of life from the server, in ms. */
const PULSE = 30_000;
/** Before an attempt to return, in ms. */
export const WAITS = { first: 250, calling: 2000, idle: 30_000 };
/** How long the server should keep our place: about as long as Campana keeps a call. */
const RESUME_SECONDS = 60;
