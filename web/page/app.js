// The page around campana.js: log in, see who is there, call, be called.

import { connect } from '../campana.js';
import { personOf } from '../stanza.js';
import { Contacts } from './contacts.js';
import * as devices from './devices.js';
import { find, setIcon, setText, show } from './dom.js';
import { ending, explain } from './faults.js';
import { focusStart, invitation, invited, renderStart } from './login.js';
import { MissedCalls } from './missed.js';
import { NetworkPanel } from './network-panel.js';
import { paint } from './portrait.js';
import { allowSound, ring, ringBack, silence } from './ring.js';
import { Stage } from './stage.js';
import { knows, switchLanguage, translate, words } from './words.js';

/**
 * @typedef {import('../campana.js').Client} Client
 * @typedef {import('../call.js').Call} Call
 */

/** What tests and the developer's console may use. */
const state = {
  /** @type {{service: string, domain: string, websocket?: string, bosh?: string, guests?: string}} */
  config: { service: '', domain: '' },
  /** @type {Client | null} */
  client: null,
  /** @type {Call | null} */
  call: null,
};
/** @type {any} */ (globalThis).campana = state;

const contacts = new Contacts((person, video) => guarded(() => dial(person, video)));
const missed = new MissedCalls((person) => contacts.nameOf(person));
const stage = new Stage();
const network = new NetworkPanel();
/** The last thing said, to say it again in the other language. */
let saying = () => '';

/** @param {() => string} text @param {boolean} [bad] */
function say(text, bad = false) {
  saying = text;
  setText(find('status'), text());
  find('status').classList.toggle('bad', bad);
}

/** @param {'start' | 'home' | 'call'} screen */
function enter(screen) {
  for (const id of ['start', 'home', 'call']) show(id, id === screen);
  document.body.dataset.screen = screen;
}

async function start() {
  translate();
  say(() => words('loading'));
  const answer = await fetch('config.json').catch(() => null);
  if (!answer?.ok) {
    say(() => words('error.config'), true);
    return;
  }
  state.config = await answer.json();
  say(() => '');
  begin();
}

function begin() {
  renderStart(state.config);
  enter('start');
  focusStart();
}

/** @param {string} jid @param {string} password */
async function logIn(jid, password) {
  allowSound();
  say(() => words('connecting'));
  const { websocket, bosh, service } = state.config;
  const carry = new URLSearchParams(location.search).get('carry') !== 'no';
  const client = await connect({ websocket, bosh, service, jid, password, carry });
  client.devices = devices.choice;
  client.addEventListener('incoming', (event) => announce(/** @type {CustomEvent} */ (event).detail));
  client.addEventListener('missed', (event) => missed.add(/** @type {CustomEvent} */ (event).detail));
  client.addEventListener('offline', () => say(() => words('away'), true));
  client.addEventListener('online', () => say(() => words('back')));
  client.addEventListener('closed', (event) => leave(/** @type {CustomEvent} */ (event).detail));
  try {
    await client.announce({ audio: true, video: true });
  } catch (error) {
    client.close();
    throw error;
  }
  state.client = client;
  find('password').value = '';
  contacts.guest = client.isGuest;
  const own = client.jid.split('/', 1)[0];
  setText(find('who'), client.isGuest ? words('guest') : own);
  find('who').title = own;
  show('invite', !client.isGuest);
  for (const id of ['leave', 'setup']) show(id, true);
  contacts.show([]);
  enter('home');
  say(() => words(client.isGuest ? 'readyGuest' : 'ready'));
  find('address').focus();
  watch(client).catch((error) => console.warn('no list of people', error));
}

/** @param {Client} client */
async function watch(client) {
  const peers = await client.peers({ watch: true });
  const update = () => {
    contacts.show(peers.list);
    missed.render();
  };
  peers.addEventListener('change', update);
  update();
}

/** @param {any} [why] */
function leave(why) {
  state.client = null;
  over();
  setText(find('who'), '');
  contacts.show([]);
  missed.clear();
  for (const id of ['leave', 'setup']) show(id, false);
  begin();
  if (why) say(() => explain(why), true);
  else say(() => words('loggedOut'));
}

/** @param {string} address @param {boolean} video */
async function dial(address, video) {
  const { client } = state;
  if (state.call || !client) return;
  const call = client.dial(complete(address));
  state.call = call;
  follow(call);
  open(call);
  /** @type {unknown} */
  let problem;
  call.addEventListener('state', () => {
    // After `place` has told why, if it failed.
    if (call.state === 'ended') queueMicrotask(() => setTimeout(() => tellEnd(call, problem)));
  });
  await call.place({ audio: true, video }).catch((error) => {
    problem = error;
  });
}

/** What was typed, as an address: a name that fits one person is enough. @param {string} typed */
function complete(typed) {
  const text = typed.trim();
  if (text.includes('@')) return text;
  const matching = contacts.matching.filter((person) => person.jid === text || find('address').value.trim() === text);
  if (matching.length === 1) return matching[0].jid;
  return `${text}@${state.config.domain}`;
}

/** Whether the other person has no account: such an address says nothing to anybody. @param {Call} call */
const isGuest = ({ person }) => Boolean(state.config.guests) && person.endsWith(`@${state.config.guests}`);

/** What a person is called. @param {Call} call */
const nameOf = (call) => (isGuest(call) ? words('aGuest') : contacts.nameOf(call.person));

/** Somebody calls. @param {Call} call */
function announce(call) {
  if (state.call) {
    call.hangUp('busy');
    return;
  }
  state.call = call;
  renderIncoming(call);
  devices.pick(find('incoming-pickers'));
  if (find('devices').open) find('devices').close();
  find('incoming').showModal();
  // Not on a button: whoever is typing just now would press it.
  find('caller').focus();
  follow(call);
  call.addEventListener('state', () => {
    if (call.state === 'ended') tellEnd(call);
  });
}

/** Who calls, and how to answer. @param {Call} call */
function renderIncoming(call) {
  const name = nameOf(call);
  const { video } = call.media;
  setText(find('caller'), words(video ? 'callsVideo' : 'calls', { name }));
  setText(find('caller-hint'), name === call.person || isGuest(call) ? '' : call.person);
  paint(find('caller-portrait'), call.person, name);
  show('accept-audio', video);
  setText(find('accept').querySelector('span'), words(video ? 'acceptVideo' : 'accept'));
  setIcon(find('accept'), video ? 'camera' : 'phone');
  document.title = `☎ ${name}`;
}

/** Tells a call's course. @param {Call} call */
function follow(call) {
  /** @param {string} key */
  const told = (key) => words(key, { name: nameOf(call) });
  const update = () => {
    if (state.call !== call) return;
    if (call.state === 'incoming') ring();
    else if (call.state === 'ringing') ringBack();
    else silence();
    if (call.state === 'ended') over();
    else say(() => told(`state.${call.state}`));
  };
  call.addEventListener('state', update);
  call.addEventListener('path', () => {
    if (!call.flowing && call.state === 'connected') say(() => words('pathLost'), true);
    else if (call.state === 'connected') say(() => told('state.connected'));
  });
  call.addEventListener('info', (event) => {
    const { name: info, kind } = /** @type {CustomEvent} */ (event).detail;
    const key = `info.${info}${info.endsWith('mute') ? `.${kind ?? 'audio'}` : ''}`;
    if (knows(key)) say(() => told(key));
  });
  call.addEventListener('device', (event) => {
    const { kind, lost } = /** @type {CustomEvent} */ (event).detail;
    const device = () => words(kind === 'audio' ? 'microphone' : 'camera');
    say(() => words(lost ? 'deviceLost' : 'deviceReplaced', { kind: device() }), lost);
  });
  call.addEventListener('problem', (event) => {
    const { detail } = /** @type {CustomEvent} */ (event);
    console.warn(detail);
    if (`${detail?.code}`.startsWith('media-')) say(() => explain(detail), true);
  });
  update();
}

/** Shows the call itself. @param {Call} call */
function open(call) {
  if (find('incoming').open) find('incoming').close();
  document.title = 'Campana';
  missed.forget(call.person);
  enter('call');
  stage.open(call, () => nameOf(call));
  network.follow(call);
  find('peer').focus();
}

/** @param {Call} call @param {unknown} [problem] */
function tellEnd(call, problem) {
  if (state.call) return;
  const bad = !['success', 'cancel', 'decline'].includes(call.reason);
  say(() => words('over', { why: ending(call, problem) }), bad);
}

/** There is no call any more. */
function over() {
  silence();
  state.call = null;
  stage.close();
  network.follow(null);
  if (find('incoming').open) find('incoming').close();
  if (find('devices').open) find('devices').close();
  document.title = 'Campana';
  if (!state.client) return;
  enter('home');
  find('address').focus();
}

/** @param {boolean} video */
async function accept(video) {
  const { call } = state;
  if (call?.state !== 'incoming') return;
  silence();
  // Shown at once: opening a camera takes its time.
  await call.accept({ audio: true, video });
  open(call);
}

/** @param {boolean} video */
async function visit(video) {
  const person = invited();
  if (!person || !state.config.guests) return;
  await logIn(state.config.guests, '');
  find('address').value = person;
  await dial(person, video);
}

async function invite() {
  if (!state.client) return;
  const link = invitation(state.client.jid.split('/', 1)[0]);
  // Over plain HTTP there is no clipboard: then it is copied by hand.
  const copied = await navigator.clipboard?.writeText(link).then(() => true, () => false);
  say(() => words(copied ? 'invited' : 'inviteByHand', { link }));
}

/** @param {() => unknown} action */
async function guarded(action) {
  try {
    await action();
  } catch (error) {
    console.warn(error);
    const text = () => explain(error, !find('jid').value);
    say(text, true);
    // What is behind a dialog is not seen.
    if (find('incoming').open) setText(find('caller-hint'), text());
  }
}

/** Runs `action` on an event; what goes wrong is shown. @param {string} id @param {string} type @param {(event: any) => unknown} action */
function on(id, type, action) {
  find(id).addEventListener(type, (/** @type {Event} */ event) => {
    event.preventDefault();
    guarded(() => action(event));
  });
}

/** Runs `action`, and not again before it is done. @param {string} id @param {() => unknown} action */
function press(id, action) {
  let busy = false;
  on(id, 'click', async () => {
    if (busy) return;
    busy = true;
    try {
      await action();
    } finally {
      busy = false;
    }
  });
}

on('login', 'submit', () => logIn(find('jid').value.trim(), find('password').value));
press('guest', () => logIn(state.config.guests ?? '', ''));
press('visit-audio', () => visit(false));
press('visit-video', () => visit(true));
press('with-account', () => {
  renderStart(state.config, true);
  focusStart();
});
press('leave', () => state.client?.close());
on('dial', 'submit', (event) => dial(find('address').value, event.submitter?.value === 'video'));
press('echo', () => dial(`echo@${state.config.service}`, true));
press('invite', invite);
press('tune', () => devices.openDialog(false));
press('setup', () => devices.openDialog(Boolean(state.call)));
press('call-devices', () => devices.openDialog(true));
press('accept', () => accept(state.call?.media.video ?? false));
press('accept-audio', () => accept(false));
press('decline', () => state.call?.decline());
on('incoming', 'cancel', () => state.call?.decline());
press('hang-up', () => state.call?.hangUp());
press('mute-audio', () => state.call?.mute(!state.call.muted));
press('mute-video', () => state.call?.setCamera(!state.call.camera));
press('hold', () => state.call?.hold(!state.call.held));
press('share', async () => {
  const { call } = state;
  await call?.share(!call.sharing).catch((error) => {
    // Who closes the browser's choice of screens needs no words about it.
    if (error?.code !== 'media-denied') throw error;
  });
});
press('language', () => {
  switchLanguage();
  if (document.body.dataset.screen === 'start') renderStart(state.config, find('visit').hidden);
  setText(find('status'), saying());
  contacts.render();
  missed.render();
  if (find('incoming').open && state.call) renderIncoming(state.call);
  devices.refill();
  stage.render();
  network.update();
  setText(find('language'), words('language'));
  if (state.client?.isGuest) setText(find('who'), words('guest'));
});
devices.whenChosen((kind) => {
  if (state.client) state.client.devices = devices.choice;
  if (kind === 'speaker') stage.useSpeaker();
  else guarded(() => state.call?.useDevice(kind, devices.choice[kind]));
});
globalThis.addEventListener('hashchange', () => {
  if (!state.client) begin();
});
// Firefox closes a page's WebSocket before `pagehide`. No link of this page leads out of it, so who gets
// here leaves.
globalThis.addEventListener('beforeunload', () => state.client?.close());
setText(find('language'), words('language'));
guarded(start);
