// A scripted XMPP client over WebSocket (RFC 7395): sends text as it is, shows what comes.

import { randomBytes } from 'node:crypto';

import { parse } from 'stanza/jxt/index.js';
import WebSocket from 'ws';

import { until, within } from './process.mjs';

/**
 * Logs in, as a guest if `jid` is a domain, and binds `resource`. Nothing else is sent: no
 * presence, no roster.
 * @param {{websocket: string, jid: string, password?: string, resource?: string}} account
 */
export async function connectXmpp({ websocket, jid, password, resource = 'script' }) {
  const [domain, user] = jid.split('@').reverse();
  const socket = new WebSocket(websocket, 'xmpp');
  await within(`WebSocket to ${websocket}`, new Promise((resolve, reject) => {
    socket.once('open', resolve).once('error', reject);
  }));
  const client = new XmppClient(socket);
  const open = `<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='${domain}' version='1.0'/>`;
  client.send(open);
  await client.next('features', (stanza) => local(stanza) === 'features');
  const proof = user ? Buffer.from(`\0${user}\0${password}`).toString('base64') : '';
  client.send(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='${user ? 'PLAIN' : 'ANONYMOUS'}'>${proof}</auth>`);
  await client.next('success', (stanza) => local(stanza) === 'success');
  client.send(open);
  await client.next('features', (stanza) => local(stanza) === 'features');
  const bound = await client.request(
    `<iq type='set'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>${resource}</resource></bind></iq>`,
  );
  client.jid = bound.getChild('bind').getChild('jid').getText();
  return client;
}

class XmppClient {
  jid = '';
  closed = false;
  /** Everything on the wire, newest last: `> sent`, `< received`. */
  wire = [];
  #unread = [];
  #answers = [];
  #socket;

  constructor(socket) {
    this.#socket = socket;
    socket.on('message', (data) => this.#receive(data.toString()));
    socket.on('close', () => {
      this.closed = true;
    });
    socket.on('error', () => {});
  }

  /** Sends this text as one frame, well-formed or not. */
  send(xml) {
    this.wire.push(`> ${xml}`);
    this.#socket.send(xml);
  }

  /** Sends an IQ without id and gives the reply, result or error. */
  async request(iq, patience = 10_000) {
    const id = randomBytes(8).toString('hex');
    this.send(iq.replace('<iq ', `<iq id='${id}' xmlns='jabber:client' `));
    const isReply = (stanza) => local(stanza) === 'iq' && stanza.getAttribute('id') === id
      && ['result', 'error'].includes(stanza.getAttribute('type'));
    return this.next(`a reply to ${iq.slice(0, 120)}`, isReply, patience);
  }

  /** The first stanza, among those not yet taken, that fits; later ones are waited for. */
  next(what, fits, patience = 10_000) {
    return until(what, () => {
      const at = this.#unread.findIndex(fits);
      return at < 0 ? undefined : this.#unread.splice(at, 1)[0];
    }, { within: patience, every: 10 }).catch((error) => {
      throw new Error(`${error.message}\n${this.wire.slice(-12).join('\n')}`);
    });
  }

  /** The next IQ set that holds `<name xmlns=ns/>`; it is acknowledged. Gives that element. */
  async nextIq(name, ns, fits = () => true, patience = 10_000) {
    const iq = await this.next(`<iq><${name}/>`, (stanza) => {
      const child = local(stanza) === 'iq' && stanza.getAttribute('type') === 'set'
        && stanza.getChild(name, ns);
      return child && fits(child, stanza);
    }, patience);
    this.acknowledge(iq);
    const child = iq.getChild(name, ns);
    child.from = iq.getAttribute('from');
    return child;
  }

  /** The next message that holds `<name xmlns=ns/>`. Gives that element. */
  async nextMessage(name, ns, patience = 10_000) {
    const message = await this.next(`<message><${name}/>`, (stanza) => (
      local(stanza) === 'message' && stanza.getChild(name, ns)
    ), patience);
    const child = message.getChild(name, ns);
    child.from = message.getAttribute('from');
    return child;
  }

  acknowledge(iq) {
    const [id, from] = [iq.getAttribute('id'), iq.getAttribute('from')];
    this.send(`<iq xmlns='jabber:client' type='result' id='${id}'${from ? ` to='${from}'` : ''}/>`);
  }

  /** Answers every IQ that fits, from now on, with a result that holds what `payload` makes. */
  answer(fits, payload) {
    this.#answers.push({ fits, payload });
  }

  close() {
    return new Promise((resolve) => {
      if (this.closed) return resolve();
      this.#socket.once('close', resolve);
      this.#socket.close();
      setTimeout(() => this.#socket.terminate(), 2000).unref();
    });
  }

  #receive(text) {
    this.wire.push(`< ${text}`);
    const stanza = parse(text);
    const answer = local(stanza) === 'iq' && this.#answers.find(({ fits }) => fits(stanza));
    if (!answer) {
      this.#unread.push(stanza);
      return;
    }
    const [id, from] = [stanza.getAttribute('id'), stanza.getAttribute('from')];
    this.send(`<iq xmlns='jabber:client' type='result' id='${id}' to='${from}'>${answer.payload(stanza)}</iq>`);
  }
}

/** The name of an element without its prefix. */
export function local(element) {
  return element.getName().replace(/^.*:/, '');
}

/** Tells presence of that type, '' for available, from whatever is at that bare address. */
export const isPresence = (type, from) => (stanza) => (
  local(stanza) === 'presence' && (stanza.getAttribute('type') ?? '') === type
  && stanza.getAttribute('from').split('/')[0] === from
);

/** The names of an error stanza's conditions, the defined one first, and its text. */
export function errorOf(stanza) {
  const error = stanza.getChild('error');
  if (!error) throw new Error(`not an error: ${stanza}`);
  const children = error.children.filter((child) => typeof child !== 'string');
  return {
    type: error.getAttribute('type'),
    conditions: children.map(local).filter((name) => name !== 'text'),
    text: children.find((child) => local(child) === 'text')?.getText() ?? '',
  };
}
