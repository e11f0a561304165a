// A page that is not told where the XMPP server is asks the person's domain (XEP-0156).

import { readFileSync } from 'node:fs';
import net from 'node:net';
import test, { after } from 'node:test';
import tls from 'node:tls';

import { trust } from './browser.mjs';
import { PAGE_TONE } from './expect.mjs';
import { freePorts } from './process.mjs';
import { HERE } from './wire.mjs';
import { testWorld } from './world.mjs';

const [port] = await freePorts(1);
let encrypted;
const world = testWorld({ config: { http: { websocket: undefined } } });
world.before(async () => {
  // What a reverse proxy does: TLS in front of the server's WebSocket.
  const pem = readFileSync(world.server.certificate, 'utf8');
  trust(pem);
  encrypted = tls.createServer({ cert: pem, key: pem }, (near) => {
    const far = net.connect(world.server.ports.http, HERE);
    near.pipe(far).pipe(near);
    for (const end of [near, far]) {
      end.on('error', () => {});
      end.on('close', () => [near, far].forEach((other) => other.destroy()));
    }
  });
  await new Promise((resolve) => encrypted.listen(port, HERE, resolve));
});
after(() => encrypted?.close());

const JSON_FORM = { links: [{ rel: 'urn:xmpp:alt-connections:websocket', href: `wss://localhost:${port}/ws` }] };
const XRD = `<?xml version='1.0'?><XRD xmlns='http://docs.oasis-open.org/ns/xri/xrd-1.0'>
  <Link rel='urn:xmpp:alt-connections:xbosh' href='http://localhost/not-encrypted'/>
  <Link rel='urn:xmpp:alt-connections:websocket' href='wss://localhost:${port}/ws'/></XRD>`;
const HEAD = { 'access-control-allow-origin': '*' };
const FORMS = {
  JSON: { 'host-meta.json': { headers: HEAD, contentType: 'application/json', body: JSON.stringify(JSON_FORM) } },
  XRD: {
    'host-meta.json': { headers: HEAD, status: 404, body: 'not found' },
    'host-meta': { headers: HEAD, contentType: 'application/xrd+xml', body: XRD },
  },
};

for (const [form, files] of Object.entries(FORMS)) {
  test(`a page finds the server by host-meta as ${form}`, async () => {
    const { jid, password } = await world.person('juliet');
    const page = await world.page(undefined, { tone: PAGE_TONE, browser: 'chromium' });
    for (const [file, answer] of Object.entries(files)) {
      await page.page.route(`https://localhost/.well-known/${file}`, (route) => route.fulfill(answer));
    }
    await page.logIn(jid, password);
    await page.dial(`echo@${world.campana.service}`);
    await page.connected();
    await page.close();
  });
}

test('a domain that does not say it is told of in words', async () => {
  const page = await world.page(undefined, { browser: 'chromium' });
  await page.page.route('https://localhost/.well-known/*', (route) => route.fulfill({ status: 404, headers: HEAD }));
  await page.page.fill('#jid', 'juliet@localhost');
  await page.page.fill('#password', 'wherefore');
  await page.press('#login button[type=submit]');
  await page.says(/^This domain does not say where browsers may connect/);
  await page.close();
});
