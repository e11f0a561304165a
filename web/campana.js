// Calls over XMPP for the browser. The app holds an RTCPeerConnection's worth of SDP; who answers,
// and in which protocol, is Campana's business.
//
//   const client = await connect({ websocket, service: 'call.example.org', jid, password });
//   await client.announce({ audio: true, video: true });
//   client.addEventListener('incoming', ({ detail: call }) => call.accept());
//   const call = await client.call('romeo\\40example.net@call.example.org', { video: true });

import { $iq, $pres, Strophe } from 'strophe.js';

import { Call } from './call.js';
import { NS, StanzaError, child, domain, element } from './stanza.js';

export { Call, StanzaError };

/**
 * @typedef {object} Account
 * @property {string} websocket address of the XMPP server's WebSocket (RFC 7395)
 * @property {string} service Campana's domain
 * @property {string} jid `user@domain`, or a domain alone to come as a guest
 * @property {string} [password]
 *
 * @typedef {{audio?: boolean, video?: boolean}} Media
 */

/**
 * Logs in and keeps the connection: after a loss it comes back under the same address.
 * @param {Account} account
 * @returns {Promise<Client>}
 */
export async function connect(account) {
  const client = new Client(account);
  await client.open();
  return client;
}

/**
 * One browser tab as a device of a person.
 *
 * Events: `incoming` (detail: {@link Call}), `online`, `offline`, and `closed` once no reconnection
 * is tried any more.
 */
export class Client extends EventTarget {
  /** Merged into the configuration of each call's RTCPeerConnection. @type {RTCConfiguration} */
  rtcConfiguration = {};
  /** Calls that have not ended, by sid. @type {Map<string, Call>} */
  calls = new Map();

  #account;
  #connection;
  /** What was announced last; null before. @type {Media | null} */
  #media = null;
  /** @type {'closed' | 'connecting' | 'online' | 'offline'} */
  #state = 'closed';
  /** Fails a request under way, once the connection is lost. @type {Set<(error: Error) => void>} */
  #unanswered = new Set();

  /** @param {Account} account */
  constructor(account) {
    super();
    this.#account = account;
    this.#connection = new Strophe.Connection(account.websocket);
    globalThis.addEventListener?.('pagehide', () => this.close());
  }

  /** Our full address, once online. */
  get jid() {
    return this.#connection.jid;
  }

  get service() {
    return this.#account.service;
  }

  get online() {
    return this.#is('online');
  }

  /** Logs in; rejects with a reason for a person. */
  async open() {
    this.#state = 'connecting';
    // A resource of our own: the address, and with it the calls, outlives a lost connection.
    const { jid } = this.#account;
    await this.#login(this.#isGuest ? jid : `${jid}/web-${randomId(4)}`);
    this.#enter('online');
  }

  /**
   * Tells the service that this device takes calls, and waits until it knows.
   * @param {Media} media
   */
  async announce(media) {
    this.#media = media;
    if (!this.online) await this.#whenOnline();
    await this.#announce();
  }

  async #announce() {
    this.#connection.send($pres({ to: this.service }).cnode(this.#device()));
    // Presence is never acknowledged. Stanzas stay in order, so an answer to this one says that
    // the presence arrived.
    const reply = await this.#exchange(this.service, 'get', element('query', { xmlns: NS.info }));
    const features = [...(child(reply, 'query')?.children ?? [])];
    if (!features.some((feature) => feature.getAttribute('var') === NS.session)) {
      throw new Error(`${this.service} does not offer calls for browsers (${NS.session})`);
    }
  }

  /**
   * STUN and TURN servers with short-lived credentials (XEP-0215).
   * @returns {Promise<RTCIceServer[]>}
   */
  async iceServers() {
    const query = element('services', { xmlns: NS.services });
    const reply = await this.request(this.service, 'get', query);
    return [...(child(reply, 'services', NS.services)?.children ?? [])]
      .filter((service) => ICE_TYPES.includes(service.getAttribute('type') ?? ''))
      .map(iceServer);
  }

  /**
   * Calls a gateway address. Resolves when the service has taken the call on; whether somebody
   * answers is told by the call's `state` events.
   * @param {string} address
   * @param {Media} [media]
   * @returns {Promise<Call>}
   */
  async call(address, { audio = true, video = false } = {}) {
    const call = this.dial(address);
    await call.place({ audio, video });
    return call;
  }

  /**
   * The same in two steps, for an app that shows the call before it is placed: `place()` is next.
   * @param {string} address
   */
  dial(address) {
    const call = new Call(this, { sid: randomId(16), peer: address, direction: 'out' });
    this.#hold(call);
    return call;
  }

  /** Ends every call and the connection; both at once, as far as a closing page allows. */
  close() {
    if (this.#is('closed')) return;
    for (const call of this.calls.values()) call.hangUp('gone');
    this.#connection.disconnect('closed');
    this.#enter('closed');
  }

  /**
   * Sends an IQ and gives the reply; while the connection is away it waits for its return.
   * @param {string} to
   * @param {'get' | 'set'} type
   * @param {Element} payload
   * @returns {Promise<Element>}
   */
  request(to, type, payload) {
    // At once where possible: a page that closes gets no second chance.
    return this.online
      ? this.#exchange(to, type, payload)
      : this.#whenOnline().then(() => this.#exchange(to, type, payload));
  }

  /** @param {string} to @param {'get' | 'set'} type @param {Element} payload */
  #exchange(to, type, payload) {
    const { promise, resolve, reject } = withResolvers();
    const iq = $iq({ to, type }).cnode(payload);
    const failed = (/** @type {Element | null} */ reply) => reject(StanzaError.from(reply));
    this.#connection.sendIQ(iq, resolve, failed, REPLY_PATIENCE);
    this.#unanswered.add(reject);
    return promise.finally(() => this.#unanswered.delete(reject));
  }

  /** @param {string} address full, or a domain for guests */
  #login(address) {
    const { promise, resolve, reject } = withResolvers();
    const connection = this.#connection;
    const patience = setTimeout(() => {
      reject(new Error(`${this.#account.websocket} did not answer in time`));
      connection.disconnect('timeout');
    }, LOGIN_PATIENCE);
    connection.connect(address, this.#account.password ?? '', (status, condition) => {
      if (status === Strophe.Status.CONNECTED) {
        this.#listen();
        resolve(undefined);
      } else if (status === Strophe.Status.AUTHFAIL) {
        reject(new Error('wrong address or password'));
      } else if (status === Strophe.Status.CONNFAIL || status === Strophe.Status.DISCONNECTED) {
        reject(new Error(`no connection to ${this.#account.websocket}: ${condition ?? 'closed'}`));
        if (status === Strophe.Status.DISCONNECTED) this.#lost();
      }
    });
    return promise.finally(() => clearTimeout(patience));
  }

  /** Handlers live as long as one connection. */
  #listen() {
    const answer = (/** @type {Element} */ iq) => {
      try {
        this.#receive(iq);
      } catch (error) {
        console.error(error);
      }
      return true;
    };
    this.#connection.addHandler(answer, NS.session, 'iq', ['get', 'set']);
  }

  /** The connection is gone. A tab with an account comes back; a guest would be someone else. */
  async #lost() {
    for (const fail of this.#unanswered) fail(new Error('the connection was lost'));
    this.#unanswered.clear();
    if (!this.online) return;
    this.#enter('offline');
    const end = Date.now() + (this.#isGuest ? 0 : RETURN_PATIENCE);
    for (let wait = 250; Date.now() < end; wait = Math.min(wait * 2, 2000)) {
      await sleep(wait * (0.5 + Math.random() / 2));
      if (!this.#is('offline')) return;
      try {
        await this.#comeBack();
        return;
      } catch (error) {
        console.warn(`not back yet: ${error}`);
      }
    }
    if (!this.#is('offline')) return;
    for (const call of this.calls.values()) call.finish('gone', 'the connection was lost');
    this.#enter('closed');
  }

  /** Online again is who is logged in and known to the service, which may return later. */
  async #comeBack() {
    if (!this.#connection.connected) {
      this.#connection.reset();
      await this.#login(this.jid);
    }
    if (this.#media) await this.#announce();
    if (this.#is('offline')) this.#enter('online');
  }

  get #isGuest() {
    return !this.#account.jid.includes('@');
  }

  /** @returns {Promise<void>} */
  #whenOnline() {
    if (!this.#is('offline')) return Promise.reject(new Error('not connected'));
    return new Promise((resolve, reject) => {
      const closed = () => reject(new Error('the connection was lost'));
      this.addEventListener('online', () => resolve(), { once: true });
      this.addEventListener('closed', closed, { once: true });
    });
  }

  /** @param {string} state */
  #is(state) {
    return this.#state === state;
  }

  /** @param {'online' | 'offline' | 'closed'} state */
  #enter(state) {
    this.#state = state;
    this.dispatchEvent(new Event(state));
  }

  /** @param {Element} iq */
  #receive(iq) {
    const from = iq.getAttribute('from') ?? '';
    if (domain(from) !== domain(this.service)) return this.#refuse(iq, 'service-unavailable');
    const session = child(iq, 'session', NS.session);
    if (session && iq.getAttribute('type') === 'set') return this.#receiveSession(iq, session, from);
    if (child(iq, 'device', NS.session) && this.#media) return this.#reply(iq, this.#device());
    return this.#refuse(iq, 'feature-not-implemented');
  }

  /** @param {Element} iq @param {Element} session @param {string} from */
  #receiveSession(iq, session, from) {
    const sid = session.getAttribute('sid') ?? '';
    const call = this.calls.get(sid);
    if (call?.isFrom(from)) {
      this.#reply(iq);
      call.receive(session, from);
    } else if (child(session, 'end')) {
      // A call that we have already forgotten: over is over.
      this.#reply(iq);
    } else if (!call && child(session, 'propose')) {
      this.#reply(iq);
      this.#propose(sid, from, child(session, 'propose')?.getAttribute('media') ?? 'audio');
    } else {
      this.#refuse(iq, 'item-not-found', 'no such call');
    }
  }

  /** @param {string} sid @param {string} from @param {string} media */
  #propose(sid, from, media) {
    const call = new Call(this, { sid, peer: from, direction: 'in' });
    call.media = { audio: media.includes('audio'), video: media.includes('video') };
    this.#hold(call);
    call.ring();
    this.dispatchEvent(new CustomEvent('incoming', { detail: call }));
  }

  /** @param {Call} call */
  #hold(call) {
    this.calls.set(call.sid, call);
    call.addEventListener('state', () => {
      if (call.state === 'ended') this.calls.delete(call.sid);
    });
  }

  #device() {
    const kinds = Object.entries(this.#media ?? {}).filter(([, can]) => can).map(([kind]) => kind);
    return element('device', { xmlns: NS.session, media: kinds.join(' ') });
  }

  /** @param {Element} iq @param {Element} [payload] */
  #reply(iq, payload) {
    const reply = $iq({ ...addressed(iq), type: 'result' });
    this.#connection.send(payload ? reply.cnode(payload) : reply);
  }

  /** @param {Element} iq @param {string} condition @param {string} [text] */
  #refuse(iq, condition, text) {
    const error = element('error', { type: 'cancel' }, element(condition, { xmlns: NS.errors }));
    if (text) error.append(element('text', { xmlns: NS.errors }, text));
    this.#connection.send($iq({ ...addressed(iq), type: 'error' }).cnode(error));
  }
}

/** @param {Element} iq */
const addressed = (iq) => ({ id: iq.getAttribute('id') ?? '', to: iq.getAttribute('from') ?? '' });

/**
 * @param {Element} service
 * @returns {RTCIceServer}
 */
function iceServer(service) {
  const [type, host, port, transport, username, password] = [
    'type', 'host', 'port', 'transport', 'username', 'password',
  ].map((name) => service.getAttribute(name) ?? '');
  const authority = host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
  const relays = type.startsWith('turn');
  // A stun: URL has no transport (RFC 7064); with one Chromium refuses the whole configuration.
  const urls = `${type}:${authority}${port && `:${port}`}${relays && transport ? `?transport=${transport}` : ''}`;
  return relays ? { urls, username, credential: password } : { urls };
}

/** @param {number} ms */
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** @param {number} bytes */
function randomId(bytes) {
  const random = crypto.getRandomValues(new Uint8Array(bytes));
  return Array.from(random, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** @returns {{promise: Promise<any>, resolve: (value: any) => void, reject: (error: Error) => void}} */
function withResolvers() {
  /** @type {(value: any) => void} */
  let resolve = () => {};
  /** @type {(reason: Error) => void} */
  let reject = () => {};
  const promise = new Promise((yes, no) => {
    [resolve, reject] = [yes, no];
  });
  return { promise, resolve, reject };
}

const ICE_TYPES = ['stun', 'stuns', 'turn', 'turns'];
const LOGIN_PATIENCE = 20_000;
const REPLY_PATIENCE = 20_000;
// As long as the service keeps the call of a device that is away.
const RETURN_PATIENCE = 60_000;
