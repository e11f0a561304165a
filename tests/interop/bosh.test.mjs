// Where a network lets no WebSocket through, the page connects by BOSH (XEP-0206), and calls.

import assert from 'node:assert/strict';
import test, { after } from 'node:test';

import { PAGE_TONE } from './expect.mjs';
import { freePorts, until } from './process.mjs';
import { HERE, Wire } from './wire.mjs';
import { testWorld } from './world.mjs';

const [blocked, open] = await freePorts(2);
const [websocket, bosh] = [blocked, open].map((port) => new Wire({ port, host: HERE }));
websocket.cut();
const world = testWorld({
  config: { http: { websocket: `ws://${HERE}:${blocked}/ws`, bosh: `http://${HERE}:${open}/bosh` } },
});
world.before(async () => {
  bosh.to = { port: world.server.ports.http, host: HERE };
  await Promise.all([websocket.opened, bosh.opened]);
});
after(() => Promise.all([websocket.close(), bosh.close()]));

for (const browser of ['chromium', 'firefox']) {
  test(`${browser} calls over BOSH`, async () => {
    const page = await world.page(await world.person('juliet'), { tone: PAGE_TONE, browser });
    await page.dial(`echo@${world.campana.service}`, { video: true });
    await page.connected();
    await until('her own tone comes back', async () => await page.tone(PAGE_TONE) > 0.5, { within: 15_000 });
    await page.moves('#tiles video');
    await page.hangUp();
    await page.says(/^The call is over: hung up/);
    await page.press('#leave');
    await page.says(/^Logged out/);
    const state = await page.page.evaluate(() => globalThis.campana.client);
    assert.equal(state, null);
    await page.close();
  });
}
