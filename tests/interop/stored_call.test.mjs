// A call that came while nobody was there, and that the server kept: it does not ring once it is over.

import assert from 'node:assert/strict';
import test from 'node:test';

import { JMI, because, message, proposal } from './jmi-peer.mjs';
import { sleep, until } from './process.mjs';
import { testWorld } from './world.mjs';

const world = testWorld();

for (const browser of ['chromium', 'firefox']) {
  test(`${browser}: a call that is over was missed`, async () => {
    const { juliet, phone, name } = await people();
    for (const id of ['a', 'b']) {
      phone.send(message(juliet.jid, 'propose', id, proposal));
      phone.send(message(juliet.jid, 'retract', id, because('cancel')));
    }
    await arrived(phone);
    const page = await world.page(juliet, { browser, carry: true });
    const shown = new RegExp(`^Missed call from ${name}, \\d\\d:\\d\\d$`);
    await page.shows('#missed li', shown);
    // Later, when it is told again, and older than any call that rings.
    phone.send(late(await page.jid(), 'a', new Date()));
    phone.send(late(await page.jid(), 'c', new Date('2024-02-03T04:05:06Z')));
    await page.shows('#missed li[data-jid]:last-child', /Missed call from .*February 3/);
    await sleep(1500);
    assert.equal(await page.page.evaluate(() => document.querySelectorAll('#missed li').length), 3);
    assert.equal(await page.rings(), false);
    assert.equal((await page.call()).state, undefined, 'there never was a call');
    await page.says(/^Ready/);
    await page.close();
  });

  test(`${browser}: a call that goes on rings`, async () => {
    const { juliet, phone } = await people();
    phone.send(message(juliet.jid, 'propose', 'a', proposal));
    await arrived(phone);
    const page = await world.page(undefined, { browser, carry: true });
    await page.page.fill('#jid', juliet.jid);
    await page.page.fill('#password', juliet.password);
    await page.press('#login button[type=submit]');
    await until('it rings', () => page.rings(), { within: 15_000 });
    await phone.nextMessage('ringing', JMI);
    phone.send(message(juliet.jid, 'retract', 'a', because('cancel')));
    await until('it rings no more', async () => !await page.rings());
    await page.says(/^The call is over: cancelled/);
    await page.hides('#missed');
    await page.close();
  });
}

async function people() {
  const [juliet, romeo] = [await world.person('juliet'), await world.person('romeo')];
  await world.befriend(juliet, romeo);
  const phone = await world.script(romeo, { resource: 'phone' });
  phone.send(`<presence xmlns='jabber:client'/>`);
  return { juliet, phone, name: romeo.jid.split('@')[0] };
}

/** What was sent is with the server. */
const arrived = (client) => client.request(`<iq type='get'><ping xmlns='urn:xmpp:ping'/></iq>`);

/** A propose that says itself when it was held back. @param {string} to @param {string} id @param {Date} at */
const late = (to, id, at) => message(to, 'propose', id, proposal)
  .replace('</message>', `<delay xmlns='urn:xmpp:delay' stamp='${at.toISOString()}'/></message>`);
