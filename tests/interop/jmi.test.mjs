// A phone with Jingle Message Initiation and a page, in both directions.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { beforeEach, test } from 'node:test';

import { expectPageEnded } from './expect.mjs';
import { JINGLE, JMI, audioContent, because, beAvailable, jingle, message, proposal } from './jmi-peer.mjs';
import { until } from './process.mjs';
import { testWorld } from './world.mjs';

const world = testWorld();
let juliet; let romeo; let phone; let page;

world.before(async () => {
  [juliet, romeo] = [await world.person('juliet'), await world.person('romeo')];
  await world.befriend(juliet, romeo);
  phone = await world.script(romeo, { resource: 'phone' });
  beAvailable(phone);
  page = await world.page(juliet);
});

beforeEach(() => page.says(/Ready|over/));

/** The page calls; gives the proposal that arrives at the phone. */
async function pageCalls() {
  await page.dial(romeo.jid);
  const propose = await phone.nextMessage('propose', JMI);
  assert.equal(propose.from.split('/')[0], world.addressOf(juliet));
  assert.equal(propose.getChild('description').getAttribute('media'), 'audio');
  return { id: propose.getAttribute('id'), from: propose.from };
}

/** The phone calls; gives its id once the page rings and the phone knows. */
async function phoneCalls() {
  const id = randomUUID();
  phone.send(message(world.addressOf(juliet), 'propose', id, proposal));
  await until('the page rings', () => page.rings());
  const ringing = await phone.nextMessage('ringing', JMI);
  assert.equal(ringing.getAttribute('id'), id);
  return { id, from: ringing.from };
}

const nextJingle = (action) => (
  phone.nextIq('jingle', JINGLE, (element) => element.getAttribute('action') === action)
);

test('the page calls, the phone rings, takes it, and the page hangs up', async () => {
  const { id, from } = await pageCalls();
  phone.send(message(from, 'ringing', id));
  await page.says(/rings/);
  phone.send(message(from, 'proceed', id));
  const initiate = await nextJingle('session-initiate');
  assert.equal(initiate.getAttribute('sid'), id);
  const content = initiate.getChild('content');
  assert.ok(content.getChild('transport').getChild('fingerprint'));
  const accepted = await phone.request(jingle(
    initiate.from, 'session-accept', id,
    audioContent({ name: content.getAttribute('name'), setup: 'active' }), ` responder='${phone.jid}'`,
  ));
  assert.equal(accepted.getAttribute('type'), 'result', `${accepted}`);
  await page.says(/Connecting/);
  await page.hangUp();
  const terminate = await nextJingle('session-terminate');
  assert.ok(terminate.getChild('reason').getChild('success'));
  phone.send(message(from, 'finish', id, because('success')));
});

test('the page calls and the phone rejects', async () => {
  const { id, from } = await pageCalls();
  phone.send(message(from, 'reject', id, because('busy')));
  await expectPageEnded(page, 'busy');
});

test('the page calls and gives up', async () => {
  const { id } = await pageCalls();
  await page.hangUp();
  const retract = await phone.nextMessage('retract', JMI);
  assert.equal(retract.getAttribute('id'), id);
});

test('the phone calls, the page takes it, and the phone hangs up', async () => {
  const { id } = await phoneCalls();
  await page.accept();
  const proceed = await phone.nextMessage('proceed', JMI);
  assert.equal(proceed.getAttribute('id'), id);
  const initiated = await phone.request(jingle(
    proceed.from, 'session-initiate', id, audioContent({ setup: 'actpass' }), ` initiator='${phone.jid}'`,
  ));
  assert.equal(initiated.getAttribute('type'), 'result', `${initiated}`);
  const accept = await nextJingle('session-accept');
  const fingerprint = accept.getChild('content').getChild('transport').getChild('fingerprint');
  assert.match(fingerprint.getAttribute('setup'), /^(active|passive)$/);
  const ended = await phone.request(jingle(proceed.from, 'session-terminate', id, `<reason><success/></reason>`));
  assert.equal(ended.getAttribute('type'), 'result', `${ended}`);
  await expectPageEnded(page, 'success');
});

test('the phone calls and the page declines', async () => {
  const { id } = await phoneCalls();
  await page.decline();
  const reject = await phone.nextMessage('reject', JMI);
  assert.equal(reject.getAttribute('id'), id);
});

test('the phone calls and gives up', async () => {
  const { id, from } = await phoneCalls();
  phone.send(message(from.split('/')[0], 'retract', id, because('cancel')));
  await expectPageEnded(page, 'cancel');
  await until('it rings no more', async () => !(await page.rings()));
});
