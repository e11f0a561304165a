// With iceTransportPolicy 'relay' media goes through Campana's own TURN, and nowhere else: over UDP,
// TCP and TLS, from either browser.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { after } from 'node:test';

import { trust } from './browser.mjs';
import { PAGE_TONE, connectPageToPeer, expectSoundBothWays } from './expect.mjs';
import { freePorts, ownAddress } from './process.mjs';
import { testWorld } from './world.mjs';

const address = ownAddress();
const [udp, tcp, tls] = await freePorts(3);
// Firefox takes no address for TLS.
const name = 'localhost';
const { certificate, key } = selfSigned();

const world = testWorld({
  config: {
    turn: {
      listen: [`udp:${address}:${udp}`, `tcp:${address}:${tcp}`, `tls:127.0.0.1:${tls}`],
      certificate, key, tls_name: name,
    },
  },
});

const SERVERS = {
  UDP: new RegExp(`^turn:${address}:${udp}\\?transport=udp$`),
  TCP: new RegExp(`^turn:${address}:${tcp}\\?transport=tcp$`),
  TLS: new RegExp(`^turns:${name}:${tls}(\\?transport=tcp)?$`),
};

const cases = Object.entries(SERVERS).flatMap(([transport, server]) => (
  ['chromium', 'firefox'].map((browser) => ({ transport, server, browser }))
));

for (const { transport, server, browser } of cases) {
  test(`a page in ${browser} that may only relay over ${transport} calls a Jingle client`, async (t) => {
    const romeo = await world.person('romeo');
    const jingle = await world.jingle(romeo);
    const page = await world.page(await world.person('juliet'), { tone: PAGE_TONE, browser });
    await page.relayOnly(server);

    const call = await connectPageToPeer(world, page, jingle, romeo);
    const sound = await expectSoundBothWays(page, call);
    const { local, remote } = await page.media();
    assert.equal(local.type, 'relay');
    assert.equal(local.address, address);
    // Firefox does not say.
    if (local.url) assert.match(local.url, server);
    t.diagnostic(JSON.stringify({ local, remote, ...sound }));
    await page.hangUp();
    await page.close();
  });
}

/** A certificate that nobody signed but itself, which the browsers are told to take. */
function selfSigned() {
  const dir = mkdtempSync(path.join(tmpdir(), 'campana-certificate-'));
  after(() => rmSync(dir, { recursive: true, force: true }));
  const files = { certificate: path.join(dir, 'certificate.pem'), key: path.join(dir, 'key.pem') };
  execFileSync('openssl', [
    'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
    '-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`,
    '-keyout', files.key, '-out', files.certificate,
  ], { stdio: 'pipe' });
  trust(readFileSync(files.certificate, 'utf8'));
  return files;
}
