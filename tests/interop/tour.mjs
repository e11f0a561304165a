// A walk through everything that the page shows, for those who look at it: axe-core, and the camera of
// `screenshots.mjs`.

import { PAGE_TONE, PEER_TONE } from './expect.mjs';

const PASSWORD = 'wherefore';
const PEOPLE = {
  romeo: 'Romeo Montague', nurse: 'Angelica', mercutio: 'Mercutio', benvolio: 'Benvolio', laurence: 'Friar Laurence',
};

/** What a world must be like. */
export const TOUR = { config: { access: { mode: 'contacts', guests: ['juliet@localhost'] } } };

/**
 * Walks, and stops for `look` at each place; nothing moves on until that is done.
 * @param {import('./world.mjs').World} world made with {@link TOUR}
 * @param {(place: string, device: object) => Promise<void>} look
 */
export async function tour(world, look) {
  const { server } = world;
  await Promise.all(['juliet', ...Object.keys(PEOPLE)].map((name) => server.addUser(name, PASSWORD)));
  for (const [name, nick] of Object.entries(PEOPLE)) {
    await server.addContact('juliet', `${name}@localhost`, nick);
    await server.addContact(name, 'juliet@localhost', 'Juliet Capulet');
  }

  const guest = await world.page(undefined, { link: '#call=juliet@localhost' });
  await guest.shows('#visit');
  await look('guest link', guest);
  await guest.close();

  const juliet = await world.page(undefined, { tone: PAGE_TONE, carry: true });
  await juliet.shows('#login');
  await look('login', juliet);
  await juliet.page.fill('#jid', 'juliet@localhost');
  await juliet.page.fill('#password', 'a rose');
  await juliet.press('#login button[type=submit]');
  await juliet.says(/Wrong/);
  await look('wrong password', juliet);
  await juliet.logIn('juliet@localhost', PASSWORD);
  await juliet.shows('#contacts', /Offline/);
  await look('nobody online', juliet);

  const romeo = await world.page({ jid: 'romeo@localhost', password: PASSWORD }, { tone: PEER_TONE, carry: true });
  for (const [name, media, show] of [['nurse', 'audio video', 'away'], ['mercutio', 'audio', 'dnd']]) {
    const client = await world.script({ jid: `${name}@localhost`, password: PASSWORD });
    client.send(`<presence xmlns='jabber:client'><show>${show}</show></presence>`);
    client.send(`<presence xmlns='jabber:client' to='${world.campana.service}'><show>${show}</show>`
      + `<device xmlns='urn:x-campana:sdp:0' media='${media}'/></presence>`);
  }
  await juliet.shows('#contacts [data-jid^=mercutio]', /Do not disturb/);
  await juliet.shows('#contacts [data-jid^=nurse]', /Away/);
  await juliet.shows('#contacts [data-jid^=romeo]', /Available/);
  await juliet.page.bringToFront();
  await look('contacts', juliet);
  await juliet.press('#tune');
  await juliet.shows('#preview');
  await look('devices', juliet);
  await juliet.press('#devices button[type=submit]');

  await romeo.press('#contacts [data-kind=video]');
  await juliet.shows('#incoming');
  await look('incoming call', juliet);
  await juliet.press('#incoming summary');
  await look('incoming call with devices', juliet);
  await juliet.decline();
  await romeo.says(/declined/);

  await juliet.press('#contacts [data-jid^=romeo] [data-kind=audio]');
  await romeo.shows('#incoming');
  await juliet.says(/rings/);
  await look('calling', juliet);
  await romeo.accept();
  await juliet.connected();
  await juliet.shows('#phase', /00:0[2-9]/);
  await look('call without pictures', juliet);
  await juliet.hangUp();
  await romeo.says(/over/);

  await juliet.press('#contacts [data-jid^=romeo] [data-kind=video]');
  await romeo.accept();
  await juliet.connected();
  await juliet.moves('#tiles video');
  await juliet.shows('#phase', /00:0[3-9]/);
  await look('call', juliet);
  await juliet.press('#show-network');
  await juliet.shows('#network-path', /\d [kM]bit.*\d [kM]bit/s);
  await look('network', juliet);
  await juliet.press('#network-close');
  await romeo.press('#hold');
  await juliet.shows('#notes', /hold/);
  await juliet.press('#mute-audio');
  await look('call on hold', juliet);
  await romeo.hangUp();
  await juliet.says(/over/);
  await look('after the call', juliet);
}
