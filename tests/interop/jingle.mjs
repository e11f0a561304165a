// A real Jingle client without a browser: stanza.js with a WebRTC stack in Node.

import wrtc from '@roamhq/wrtc';
import { createClient } from 'stanza';

import { CameraSession } from './camera-session.mjs';
import { AudioMeter, VideoMeter, movingTrack, toneTrack } from './media.mjs';
import { until, within } from './process.mjs';

// stanza.js looks for these in the global scope, as in a browser.
for (const name of ['RTCPeerConnection', 'MediaStream']) globalThis[name] ??= wrtc[name];

/**
 * Logs in and is available with the caps of a client for audio and video calls.
 * @param {{websocket: string, jid: string, password: string, resource?: string,
 *   iceServers?: object[] | 'asked', camera?: boolean}} account `iceServers`: those that its server tells
 *   it if asked; `camera`: it can be shown, and show, a camera in mid-call
 */
export async function connectJingle({ websocket, jid, password, resource, iceServers = [], camera = false }) {
  const client = createClient({
    jid, password, resource: resource ?? 'jingle', autoReconnect: false,
    transports: { websocket, bosh: false },
    jingle: {
      hasRTCPeerConnection: true,
      advertiseAudio: true,
      advertiseVideo: true,
      advertiseFileTransfer: false,
      // Left out it would ask a public STUN server.
      iceServers: iceServers === 'asked' ? [] : iceServers,
      ...camera && { prepareSession: (options) => new CameraSession(options) },
      createPeerConnection: (_, { sdpSemantics, ...config }) => new wrtc.RTCPeerConnection(config),
    },
  });
  const jingle = new JingleClient(client);
  const started = new Promise((resolve, reject) => {
    client.once('session:started', resolve);
    client.once('auth:failed', () => reject(new Error(`${jid}: wrong password`)));
    client.once('disconnected', () => reject(new Error(`${jid}: disconnected before login`)));
  });
  started.catch(() => {});
  client.connect();
  await within(`login of ${jid}`, started, 20_000);
  if (iceServers === 'asked') await client.discoverICEServers();
  await client.getRoster();
  await client.updateCaps();
  client.sendPresence({ legacyCapabilities: client.disco.getCaps() });
  return jingle;
}

class JingleClient {
  /** @type {JingleCall[]} incoming calls nobody took with `incoming()` yet */
  #incoming = [];
  #calls = new Map();

  constructor(client) {
    /** The stanza.js client, for everything that is not a call. */
    this.client = client;
    /** Every stanza on the wire, newest last: `> sent`, `< received`. */
    this.wire = [];
    this.presences = [];
    client.on('raw:outgoing', (xml) => this.wire.push(`> ${xml}`));
    client.on('raw:incoming', (xml) => this.wire.push(`< ${xml}`));
    client.on('presence', (presence) => this.presences.push(presence));
    client.on('jingle:incoming', (session) => this.#incoming.push(this.#track(session)));
    client.on('jingle:ringing', (session) => this.#update(session, { ringing: true }));
    client.on('jingle:accepted', (session) => this.#update(session, { accepted: true }));
    client.on('jingle:terminated', (session, reason) => {
      // stanza.js says it once more, with another reason, when its connection closes behind it.
      const ended = this.#calls.get(session.sid)?.ended ?? reason?.condition ?? 'success';
      this.#update(session, { ended });
    });
  }

  get jid() {
    return this.client.jid;
  }

  /** Calls an address: session-initiate at once, with a tone and, if asked for, moving pictures. */
  async place(address, { tone, video = false }) {
    const { jingle } = this.client;
    const call = this.#track(jingle.config.prepareSession
      ? jingle.addSession(jingle.prepareSession({
        config: jingle.config.peerConnectionConfig, iceServers: jingle.iceServers, initiator: true,
        parent: jingle, peerID: address,
      }))
      : jingle.createMediaSession(address));
    await call.addMedia({ tone, video });
    await call.session.start({ offerToReceiveAudio: true, offerToReceiveVideo: video });
    return call;
  }

  /** The next call that comes in. */
  async incoming(patience = 10_000) {
    await until(`a call for ${this.jid}`, () => this.#incoming.length > 0, { within: patience });
    return this.#incoming.shift();
  }

  /**
   * The full address at which a person can be called, as a contact list shows it: subscribes to
   * the gateway address and waits for its presence.
   */
  async reach(address, patience = 10_000) {
    this.client.subscribe(address);
    const presence = await until(`presence of ${address}`, () => this.presences.findLast((known) => (
      known.from.split('/')[0] === address && !known.type
    )), { within: patience });
    return presence.from;
  }

  /** Logs in again under the same address, after the connection was lost. */
  async comeBack() {
    const started = new Promise((resolve) => this.client.once('session:started', resolve));
    this.client.connect();
    await within('login', started, 20_000);
    await this.client.getRoster();
    this.client.sendPresence({ legacyCapabilities: this.client.disco.getCaps() });
  }

  get hasIncoming() {
    return this.#incoming.length > 0;
  }

  async close() {
    for (const call of this.#calls.values()) call.release();
    const closed = new Promise((resolve) => this.client.once('disconnected', resolve));
    this.client.disconnect();
    await within('disconnect', closed, 5000).catch(() => {});
  }

  #track(session) {
    const call = new JingleCall(session);
    this.#calls.set(session.sid, call);
    return call;
  }

  #update(session, change) {
    Object.assign(this.#calls.get(session.sid) ?? {}, change);
  }
}

class JingleCall {
  ringing = false;
  accepted = false;
  /** The reason once the call is over. */
  ended = null;
  /** @type {AudioMeter | null} */
  audio = null;
  /** @type {VideoMeter | null} */
  video = null;
  #sources = [];

  constructor(session) {
    this.session = session;
    const meter = (track) => {
      if (track.kind === 'audio') this.audio ??= new AudioMeter(track);
      else this.video ??= new VideoMeter(track);
    };
    for (const { track } of session.pc.getReceivers()) meter(track);
    session.pc.addEventListener('track', ({ track }) => meter(track));
  }

  get sid() {
    return this.session.sid;
  }

  get peer() {
    return this.session.peerID;
  }

  get connected() {
    return this.session.pc.connectionState === 'connected';
  }

  async addMedia({ tone, video = false }) {
    const sources = [toneTrack(tone), ...(video ? [movingTrack()] : [])];
    this.#sources.push(...sources);
    const stream = new wrtc.MediaStream(sources.map(({ track }) => track));
    for (const { track } of sources) await this.session.addTrack(track, stream);
  }

  /** Asks for another path; only who called may. */
  restartIce() {
    return this.session.restartIce();
  }

  async turnOnCamera() {
    const source = movingTrack();
    this.#sources.push(source);
    await this.session.addToCall(source.track, new wrtc.MediaStream([source.track]));
  }

  /** The types of both ends of the path in use, and the username fragment of each side. */
  async path() {
    const stats = [...(await this.session.pc.getStats()).values()];
    const transport = stats.find((s) => s.type === 'transport' && s.selectedCandidatePairId);
    const pair = stats.find((s) => s.id === transport?.selectedCandidatePairId);
    const end = (id) => {
      const found = stats.find((s) => s.id === id);
      return found && { type: found.candidateType, address: found.address ?? found.ip };
    };
    const ufrag = (description) => description?.sdp.match(/^a=ice-ufrag:(\S+)/m)?.[1];
    const { localDescription, remoteDescription } = this.session.pc;
    return {
      local: end(pair?.localCandidateId), remote: end(pair?.remoteCandidateId),
      ufrags: [ufrag(localDescription), ufrag(remoteDescription)],
    };
  }

  ring() {
    return this.session.ring();
  }

  async accept({ tone, video = false }) {
    await this.addMedia({ tone, video });
    await this.session.accept();
  }

  decline() {
    this.session.decline();
  }

  hangUp(reason) {
    this.session.end(reason);
  }

  /** Stops timers and sinks: Node would not end otherwise. */
  release() {
    for (const source of this.#sources) source.stop();
    this.audio?.stop();
    this.video?.stop();
    this.session.pc.close();
  }
}
