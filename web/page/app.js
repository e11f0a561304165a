// The page around campana.js: log in, call, be called.

import { connect } from './campana.js';
import { Strophe } from 'strophe.js';

/** What tests and the developer's console may use. */
const state = { config: null, client: null, call: null };
globalThis.campana = state;

const find = (id) => document.getElementById(id);
const show = (id, visible) => {
  find(id).hidden = !visible;
};

function say(text, bad = false) {
  find('status').textContent = text;
  find('status').classList.toggle('bad', bad);
}

async function start() {
  const answer = await fetch('/config.json');
  if (!answer.ok) throw new Error(`/config.json: ${answer.status}`);
  state.config = await answer.json();
  find('jid').placeholder = `juliet@${state.config.domain}`;
  show('login', true);
  say('Log in with your XMPP account.');
  find('jid').focus();
}

async function logIn(jid, password) {
  say('Connecting …');
  const { websocket, service } = state.config;
  const client = await connect({ websocket, service, jid, password });
  client.addEventListener('incoming', ({ detail }) => ring(detail));
  client.addEventListener('offline', () => say('The connection is away; trying again …', true));
  client.addEventListener('online', () => say('Connected again.'));
  client.addEventListener('closed', () => leave());
  await client.announce({ audio: true, video: true });
  state.client = client;
  find('who').textContent = Strophe.getBareJidFromJid(client.jid);
  show('login', false);
  show('dial', true);
  show('leave', true);
  say('Ready. You can be called.');
  find('address').focus();
}

function leave() {
  state.client = null;
  find('who').textContent = '';
  for (const id of ['dial', 'leave', 'incoming', 'call']) show(id, false);
  show('login', true);
  say('Logged out.');
}

async function dial(address, video) {
  if (state.call) return;
  state.call = state.client.dial(gatewayAddress(address));
  show('dial', false);
  follow(state.call, video);
  await state.call.place({ audio: true, video });
}

/** A person's own address, as the service spells it (XEP-0106); others are taken as they are. */
function gatewayAddress(address) {
  const { service } = state.config;
  const [bare] = address.trim().split('/');
  if (bare === service || bare.endsWith(`@${service}`)) return bare;
  return `${Strophe.escapeNode(bare)}@${service}`;
}

/** The other way: what a person reads. */
function personOf(address) {
  return Strophe.unescapeNode(Strophe.getNodeFromJid(address) ?? address);
}

function ring(call) {
  if (state.call) {
    call.hangUp('busy');
    return;
  }
  state.call = call;
  find('caller').textContent = `${personOf(call.address)} calls${call.media.video ? ' with video' : ''}`;
  show('incoming', true);
  show('dial', false);
  find('accept').focus();
  follow(call, call.media.video);
}

/** Shows a call until its end. */
function follow(call, video) {
  find('call').classList.toggle('audio-only', !video);
  for (const id of ['mute-audio', 'mute-video']) find(id).setAttribute('aria-pressed', 'false');
  const update = () => {
    if (state.call !== call) return;
    if (call.state === 'ended') {
      over();
      say(`The call is over: ${call.text || call.reason.replaceAll('-', ' ')}.`);
      return;
    }
    show('incoming', call.state === 'incoming');
    show('call', call.state !== 'incoming');
    find('local').srcObject = call.localStream;
    find('remote').srcObject = call.remoteStream;
    say(STATES[call.state].replace('*', personOf(call.address)));
  };
  call.addEventListener('state', update);
  call.addEventListener('media', update);
  call.addEventListener('info', ({ detail }) => say(`${personOf(call.address)}: ${detail}`));
  call.addEventListener('problem', ({ detail }) => console.warn(detail));
  update();
}

function over() {
  state.call = null;
  for (const id of ['local', 'remote']) find(id).srcObject = null;
  for (const id of ['incoming', 'call']) show(id, false);
  show('dial', true);
  find('address').focus();
}

function toggle(id, kind) {
  const muted = find(id).getAttribute('aria-pressed') !== 'true';
  find(id).setAttribute('aria-pressed', `${muted}`);
  return state.call?.mute(kind, muted);
}

/** Runs `action` on an event; what goes wrong is shown. */
function on(id, type, action) {
  find(id).addEventListener(type, async (event) => {
    event.preventDefault();
    try {
      await action(event);
    } catch (error) {
      say(error.message, true);
    }
  });
}

const STATES = {
  new: 'Calling * …',
  incoming: '* calls.',
  calling: 'Calling * …',
  ringing: 'It rings at * …',
  connecting: 'Connecting with * …',
  connected: 'In a call with *.',
};

on('login', 'submit', () => logIn(find('jid').value.trim(), find('password').value));
on('guest', 'click', () => logIn(state.config.guests ?? `guest.${state.config.domain}`, ''));
on('leave', 'click', () => state.client?.close());
on('dial', 'submit', (event) => dial(find('address').value, event.submitter?.value === 'video'));
on('accept', 'click', () => state.call?.accept());
on('decline', 'click', () => state.call?.decline());
on('hang-up', 'click', () => state.call?.hangUp());
on('mute-audio', 'click', () => toggle('mute-audio', 'audio'));
on('mute-video', 'click', () => toggle('mute-video', 'video'));
start().catch((error) => say(`${error.message}`, true));
