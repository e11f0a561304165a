// STUN and TURN servers with short-lived credentials over XMPP (XEP-0215), that work.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import test from 'node:test';
import { promisify } from 'node:util';

import { ownAddress } from './process.mjs';
import { testWorld } from './world.mjs';
import { errorOf, local } from './xmpp.mjs';

const SERVICES = `<services xmlns='urn:xmpp:extdisco:2'/>`;
const world = testWorld();
let juliet; let client;

world.before(async () => {
  juliet = await world.person('juliet');
  client = await world.script(juliet);
});

async function services(to) {
  const reply = await client.request(`<iq type='get' to='${to}'>${SERVICES}</iq>`);
  assert.equal(reply.getAttribute('type'), 'result', `${reply}`);
  return reply.getChild('services').children.filter((child) => local(child) === 'service');
}

test('the service hands out STUN, and TURN with credentials', async () => {
  const all = await services(world.campana.service);
  for (const type of ['stun', 'turn']) {
    const service = all.find((candidate) => candidate.getAttribute('type') === type);
    assert.ok(service, `${type} in ${all}`);
    assert.equal(service.getAttribute('host'), ownAddress());
    assert.equal(service.getAttribute('port'), `${world.campana.ports.turn}`);
  }
  const turn = all.find((service) => service.getAttribute('type') === 'turn');
  const [expiry, person] = turn.getAttribute('username').split(/:(.*)/);
  assert.equal(person, juliet.jid);
  const lives = Number(expiry) - Date.now() / 1000;
  assert.ok(lives > 3600 && lives <= 12 * 3600 + 5, `${lives} s`);
  assert.ok(turn.getAttribute('password').length >= 20);
  assert.ok(Math.abs(Date.parse(turn.getAttribute('expires')) / 1000 - Number(expiry)) < 2);
});

test('an independent TURN client relays with them', async () => {
  const turn = (await services(world.campana.service))
    .find((service) => service.getAttribute('type') === 'turn');
  const { stdout } = await promisify(execFile)('turnutils_uclient', [
    '-y', '-s', '-c', '-n', '20', '-m', '2', '-l', '160', '-z', '10',
    '-u', turn.getAttribute('username'), '-w', turn.getAttribute('password'),
    '-p', turn.getAttribute('port'), turn.getAttribute('host'),
  ], { timeout: 30_000 });
  const lost = stdout.match(/Total lost packets (\d+)/);
  assert.ok(lost, stdout.slice(-1500));
  assert.equal(lost[1], '0', stdout.slice(-1500));
});

test('a guest gets none', async () => {
  const guest = await world.script({ jid: world.server.guestHost });
  const reply = await guest.request(`<iq type='get' to='${world.campana.service}'>${SERVICES}</iq>`);
  assert.deepEqual(errorOf(reply).conditions, ['service-unavailable']);
});
