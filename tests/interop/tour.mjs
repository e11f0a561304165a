// A walk through everything that the page shows, and what operators see, for those who look at it:
// axe-core, and the camera of `screenshots.mjs`.

import { PAGE_TONE, PEER_TONE } from './expect.mjs';
import { because, message, proposal } from './jmi-peer.mjs';

const PASSWORD = 'wherefore';
const PEOPLE = {
  romeo: 'Romeo Montague', nurse: 'Angelica', mercutio: 'Mercutio', benvolio: 'Benvolio', laurence: 'Friar Laurence',
};

const TOKEN = 'what only operators know';

/** What a world must be like. */
export const TOUR = {
  config: { access: { mode: 'contacts', guests: ['laurence@localhost'] }, http: { admin_token: TOKEN } },
};

/**
 * Walks, and stops for `look` at each place; nothing moves on until that is done.
 * @param {import('./world.mjs').World} world made with {@link TOUR}
 * @param {'chromium' | 'firefox'} browser
 * @param {(place: string, device: object) => Promise<void>} look
 */
export async function tour(world, browser, look) {
  const { server } = world;
  const page = (person, options) => world.page(person, { browser, ...options });
  await Promise.all(['juliet', ...Object.keys(PEOPLE)].map((name) => server.addUser(name, PASSWORD)));
  for (const [name, nick] of Object.entries(PEOPLE)) {
    await server.addContact('juliet', `${name}@localhost`, nick);
    await server.addContact(name, 'juliet@localhost', 'Juliet Capulet');
  }

  const guest = await page(undefined, { link: '#call=laurence@localhost' });
  await guest.shows('#visit');
  await look('guest link', guest);
  await guest.press('#visit-audio');
  await guest.says(/^Calling/);
  await guest.hangUp();
  await guest.says(/over/);
  await guest.shows('#no-contacts');
  await look('guest', guest);
  await guest.close();

  const phone = await world.script({ jid: 'romeo@localhost', password: PASSWORD });
  phone.send(message('juliet@localhost', 'propose', 'missed', proposal));
  phone.send(message('juliet@localhost', 'retract', 'missed', because('cancel')));
  await phone.request(`<iq type='get'><ping xmlns='urn:xmpp:ping'/></iq>`);
  phone.close();

  const juliet = await page(undefined, { tone: PAGE_TONE, carry: true });
  await juliet.shows('#login');
  await look('login', juliet);
  await juliet.page.fill('#jid', 'juliet@localhost');
  await juliet.page.fill('#password', 'a rose');
  await juliet.press('#login button[type=submit]');
  await juliet.says(/Wrong/);
  await look('wrong password', juliet);
  await juliet.logIn('juliet@localhost', PASSWORD);
  await juliet.shows('#contacts', /Offline/);
  await juliet.shows('#missed', /Missed call from Romeo Montague/);
  await look('nobody online', juliet);

  const romeo = await page({ jid: 'romeo@localhost', password: PASSWORD }, { tone: PEER_TONE, carry: true });
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
  await juliet.page.fill('#address', 'Rosaline');
  await juliet.shows('#no-contacts');
  await look('nobody by that name', juliet);
  await juliet.page.fill('#address', '');
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

  const operator = await openCalls(world, TOKEN, browser);
  await look('calls', operator);
  await operator.press('tbody tr:first-child a');
  await operator.shows('h1', /^Call \d+$/);
  await operator.press('details.in summary');
  await operator.shows('details.in pre');
  await look('ladder', operator);
}

/**
 * The list of calls, as a browser shows it to whoever has the token.
 * @param {import('./world.mjs').World} world
 * @param {string} token `http.admin_token`
 * @param {'chromium' | 'firefox'} [browser]
 */
export function openCalls(world, token, browser = undefined) {
  const url = new URL('calls', world.campana.url);
  [url.username, url.password] = ['operator', token];
  return world.page(undefined, { browser, url: url.href, carry: true });
}
