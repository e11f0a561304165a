// Calls over XMPP for the browser. The app holds an RTCPeerConnection's worth of SDP; who answers,
// and in which protocol, is Campana's business.
//
//   const client = await connect({ jid, password, service: 'call.example.org' });
//   await client.announce({ audio: true, video: true });
//   client.addEventListener('incoming', ({ detail: call }) => call.accept());
//   const call = await client.call('romeo@example.net', { video: true });

import { $pres } from 'strophe.js';

import { Call } from './call.js';
import { Capabilities } from './caps.js';
import { Courier } from './courier.js';
import { CampanaError, StanzaError } from './errors.js';
import { iceServers } from './ice.js';
import { Peers } from './peers.js';
import {
  NS, child, domain, element, gatewayAddress, mediaOf, mediaWords, personOf, randomId,
} from './stanza.js';
import { CARBONS } from './stored.js';
import { Stream, WAITS } from './stream.js';

export { Call, CampanaError, Peers, StanzaError, personOf };

/**
 * @typedef {import('./stream.js').Account & {service: string, carry?: boolean}} Account `service` is
 *   Campana's domain; `carry`, which is true if not given: contacts call, and are called, at the
 *   person's own address
 * @typedef {{audio?: boolean, video?: boolean}} Media
 * @typedef {import('./errors.js').ErrorCode} ErrorCode
 * @typedef {import('./peers.js').Peer} Peer
 * @typedef {import('./stored.js').Missed} Missed
 * @typedef {import('./network.js').Report} Report
 */

/**
 * Logs in and keeps the connection: after a loss it comes back under the same address.
 * @param {Account} account
 * @returns {Promise<Client>} rejects with a {@link CampanaError}
 */
export async function connect(account) {
  const client = new Client(account);
  await client.open();
  return client;
}

/**
 * One browser tab as a device of a person.
 *
 * Events: `incoming` (detail: {@link Call}), `missed` (detail: {@link Missed}) for a call that came and
 * ended before this device did, `online`, `offline`, and `closed` (detail: why, unless it
 * was asked for) once no reconnection is tried any more.
 */
export class Client extends EventTarget {
  /** Merged into the configuration of each call's RTCPeerConnection. @type {RTCConfiguration} */
  rtcConfiguration = {};
  /** The microphone and camera that calls begin with. @type {import('./media.js').Choice} */
  devices = {};
  /** Calls that have not ended, by sid. @type {Map<string, Call>} */
  calls = new Map();

  #account;
  #stream;
  /** What was announced last; null before. @type {Media | null} */
  #media = null;
  /** @type {Courier | null} */
  #courier = null;
  #capabilities = new Capabilities([]);
  /** @type {Peers | null} */
  #peers = null;
  /** The service knows this device, as far as it was asked to. */
  #online = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #callsEnd;

  /** @param {Account} account */
  constructor(account) {
    super();
    this.#account = account;
    this.#stream = new Stream(account);
    this.#stream.listen((iq) => this.#receive(iq), 'iq', { namespace: NS.session, types: ['get', 'set'] });
    if ((account.carry ?? true) && !this.isGuest) {
      this.#courier = new Courier(this.#stream, account.service, (missed) => {
        this.dispatchEvent(new CustomEvent('missed', { detail: missed }));
      });
      this.#stream.listen((iq) => this.#disco(iq), 'iq', { namespace: NS.info, types: ['get'] });
    }
    this.#stream.addEventListener('online', () => this.#comeBack());
    this.#stream.addEventListener('offline', () => this.#lost());
    this.#stream.addEventListener('closed', (event) => this.#closed(/** @type {CustomEvent} */ (event).detail));
    globalThis.addEventListener?.('pagehide', () => this.close());
  }

  /** Our full address, once online. */
  get jid() {
    return this.#stream.jid;
  }

  get service() {
    return this.#account.service;
  }

  get isGuest() {
    return this.#stream.isGuest;
  }

  get online() {
    return this.#online;
  }

  /** Logs in; rejects with a {@link CampanaError}. */
  async open() {
    await this.#stream.open();
    this.#online = true;
    this.dispatchEvent(new Event('online'));
  }

  /**
   * Tells the service that this device takes calls, and waits until it knows.
   * @param {Media} media
   */
  async announce(media) {
    this.#media = media;
    if (this.#courier) await this.#beginCarrying(media);
    this.#stream.send($pres({ to: this.service }).cnode(this.#device()).tree());
    // Presence is never acknowledged. Stanzas stay in order, so an answer to this one says that
    // the presence arrived.
    const reply = await this.#stream.request(this.service, 'get', element('query', { xmlns: NS.info }));
    const features = [...(child(reply, 'query')?.children ?? [])];
    if (!features.some((feature) => feature.getAttribute('var') === NS.session)) {
      throw new CampanaError('no-service', `${this.service} does not offer calls for browsers (${NS.session})`);
    }
  }

  /**
   * Copies of what the person's other devices say come first, then the presence that makes this one
   * ring. While the service does not answer, nobody is told that it takes calls.
   * @param {Media} media
   */
  async #beginCarrying(media) {
    const stream = this.#stream;
    await stream.request('', 'set', element('enable', { xmlns: CARBONS })).catch((error) => {
      console.warn(`no carbons: calls that are answered elsewhere ring on. ${error}`);
    });
    const features = await stream.request(this.service, 'get', element('features', { xmlns: NS.session }))
      .then((reply) => [...(child(reply, 'features', NS.session)?.children ?? [])], () => []);
    this.#capabilities = new Capabilities(features
      .map((feature) => feature.getAttribute('var') ?? '')
      .filter((name) => !(name.endsWith(':audio') && !media.audio) && !(name.endsWith(':video') && !media.video)));
    stream.send($pres().cnode(await this.#capabilities.element()).tree());
  }

  /** @param {Element} iq */
  #disco(iq) {
    const answer = this.#capabilities.answer(iq);
    if (answer) this.#stream.answer(iq, answer);
    else this.#stream.refuse(iq, 'item-not-found');
  }

  /**
   * Who can be called. With `watch` the list is kept true from then on.
   * @param {{watch?: boolean}} [options]
   * @returns {Promise<Peers>}
   */
  async peers({ watch = true } = {}) {
    const peers = new Peers();
    if (watch) this.#peers = peers; // Changes may come before the list is complete.
    await peers.load((query) => this.request(this.service, 'get', query), watch);
    return peers;
  }

  /**
   * STUN and TURN servers with short-lived credentials (XEP-0215).
   * @returns {Promise<import('./ice.js').IceServer[]>}
   */
  async iceServers() {
    const query = element('services', { xmlns: NS.services });
    const reply = await this.request(this.service, 'get', query);
    return iceServers(child(reply, 'services', NS.services));
  }

  /**
   * Calls a person, or an address of the service. Resolves when the service has taken the call on;
   * whether somebody answers is told by the call's `state` events.
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
    const carried = this.#isCarried(address);
    const peer = carried ? address.trim() : gatewayAddress(address, this.service);
    const call = new Call(this, { sid: randomId(16), peer, direction: 'out', carried });
    this.#hold(call);
    return call;
  }

  /**
   * Whether a person is called at her own address: unless she has a device that hears of calls only
   * at her gateway address.
   * @param {string} address
   */
  #isCarried(address) {
    if (!this.#courier || domain(address) === domain(this.service)) return false;
    const devices = address.includes('/') ? [] : this.#peers?.get(address.trim())?.devices ?? [];
    return devices.every(({ own }) => own);
  }

  /** Ends every call and the connection; both at once, as far as a closing page allows. */
  close() {
    for (const call of [...this.calls.values()]) call.hangUp('gone');
    this.#stream.close();
  }

  /**
   * Sends an IQ and gives the reply; while the connection is away it waits for its return.
   * @param {string} to
   * @param {'get' | 'set'} type
   * @param {Element} payload
   * @returns {Promise<Element>}
   */
  request(to, type, payload) {
    return this.#stream.request(to, type, payload);
  }

  /** Media stopped: what carried it may have carried the connection, which would not notice for long. */
  check() {
    this.#stream.check();
  }

  /** Asks for the list of people again: who watches is forgotten with the connection. */
  async #watch() {
    try {
      await this.#peers?.load((query) => this.request(this.service, 'get', query), true);
    } catch (error) {
      console.warn(`no list of people: ${error}`);
    }
  }

  #lost() {
    this.#online = false;
    // Media goes on without us, as long as the service keeps the call.
    clearTimeout(this.#callsEnd);
    this.#callsEnd = setTimeout(() => this.#endCalls(), RETURN_PATIENCE);
    this.dispatchEvent(new Event('offline'));
  }

  /** Online again is who is logged in and known to the service, which may return later. */
  async #comeBack() {
    clearTimeout(this.#callsEnd);
    if (!this.#media || this.#online) return;
    for (let wait = 500; this.#stream.online && !this.#online; wait = Math.min(wait * 2, 5000)) {
      try {
        await this.announce(this.#media);
        this.#online = true;
      } catch (error) {
        console.warn(`not back yet: ${error}`);
        await new Promise((resolve) => setTimeout(resolve, wait));
      }
    }
    if (!this.#online) return;
    this.dispatchEvent(new Event('online'));
    this.#watch();
  }

  #endCalls() {
    for (const call of [...this.calls.values()]) call.finish('gone', 'the connection was lost');
  }

  /** @param {CampanaError | undefined} why */
  #closed(why) {
    this.#online = false;
    clearTimeout(this.#callsEnd);
    this.#endCalls();
    this.dispatchEvent(new CustomEvent('closed', { detail: why }));
  }

  /** @param {Element} iq */
  #receive(iq) {
    const stream = this.#stream;
    const from = iq.getAttribute('from') ?? '';
    if (domain(from) !== domain(this.service)) return stream.refuse(iq, 'service-unavailable');
    if (stream.repeats(iq)) return undefined;
    const set = iq.getAttribute('type') === 'set';
    const session = child(iq, 'session', NS.session);
    if (session && set) return this.#receiveSession(iq, session, from);
    if (child(iq, 'carried', NS.session) && set && this.#courier) return this.#courier.send(iq);
    const peers = child(iq, 'peers', NS.session);
    if (peers && set && this.#peers) {
      stream.answer(iq);
      return this.#peers.update(peers);
    }
    if (child(iq, 'device', NS.session) && this.#media) {
      stream.answer(iq, this.#device());
      // It asks because it was away itself, and may not know who watches.
      this.#watch();
      return undefined;
    }
    return stream.refuse(iq, 'feature-not-implemented');
  }

  /** @param {Element} iq @param {Element} session @param {string} sender */
  #receiveSession(iq, session, sender) {
    const sid = session.getAttribute('sid') ?? '';
    const call = this.calls.get(sid);
    const peer = session.getAttribute('peer');
    const from = peer ?? sender;
    if (call?.isFrom(from)) {
      this.#stream.answer(iq);
      call.receive(session, from);
    } else if (child(session, 'end')) {
      // A call that we have already forgotten: over is over.
      this.#stream.answer(iq);
    } else if (!call && child(session, 'propose')) {
      this.#stream.answer(iq);
      this.#propose(sid, from, child(session, 'propose')?.getAttribute('media') ?? 'audio', peer !== null);
    } else {
      this.#stream.refuse(iq, 'item-not-found', 'no such call');
    }
  }

  /** @param {string} sid @param {string} from @param {string} media @param {boolean} carried */
  #propose(sid, from, media, carried) {
    const call = new Call(this, { sid, peer: from, direction: 'in', carried });
    call.media = mediaOf(media);
    this.#hold(call);
    call.ring();
    this.dispatchEvent(new CustomEvent('incoming', { detail: call }));
  }

  /** @param {Call} call */
  #hold(call) {
    this.calls.set(call.sid, call);
    this.#stream.longestWait = WAITS.calling;
    call.addEventListener('state', () => {
      if (call.state !== 'ended') return;
      this.calls.delete(call.sid);
      if (this.calls.size === 0) this.#stream.longestWait = WAITS.idle;
    });
  }

  #device() {
    const carry = this.#courier ? true : undefined;
    return element('device', { xmlns: NS.session, media: mediaWords(this.#media ?? {}), carry });
  }
}

// As long as the service keeps the call of a device that is away.
const RETURN_PATIENCE = 60_000;
