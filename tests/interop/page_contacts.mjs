// The page in Chromium shows its person's contacts as they come and leave: the same over every server.

import test from 'node:test';

import { testWorld } from './world.mjs';

/** @param {{startServer: Function, privileged: boolean}} options */
export function testPageContacts({ startServer, privileged }) {
  const world = testWorld({
    config: { access: { mode: 'contacts' } },
    startServer: (options) => startServer({ ...options, privileged }),
  });
  let juliet; let romeo; let page; let row;

  /** The page shows him as there and callable, or as away and not. */
  const showsCallable = async () => {
    await page.shows(row, /romeo.*Available/s);
    await page.shows(`${row} [data-kind=audio]`);
    await page.shows(`${row} [data-kind=video]`);
  };
  const showsAway = async () => {
    await page.shows(row, /romeo.*Offline/s);
    await page.hides(`${row} button`);
  };

  world.before(async () => {
    [juliet, romeo] = [await world.person('juliet'), await world.person('romeo')];
    // Where no roster can be read, contacts are those who see each other's gateway addresses.
    await world.introduce(juliet, romeo, privileged ? undefined : (person) => world.addressOf(person));
    page = await world.page(juliet, { carry: true });
    row = `#contacts li[data-jid="${romeo.jid}"]`;
  });

  test('a contact who is away is on the list', () => showsAway());

  test('he comes with an IM client, and leaves', async () => {
    const client = await world.jingle(romeo);
    await showsCallable();
    await client.close();
    await showsAway();
  });

  test('he comes with a page, and leaves', async () => {
    const his = await world.page(romeo, { carry: true });
    await showsCallable();
    await his.leave();
    await showsAway();
  });

  test('he is there before the page is', async () => {
    const client = await world.jingle(romeo);
    await showsCallable();
    await page.page.reload();
    await page.logIn(juliet.jid, juliet.password);
    await showsCallable();
    await client.close();
    await showsAway();
  });
}
