// The page runs no script but its own, and talks to nobody but Campana and the XMPP server.

import assert from 'node:assert/strict';
import test from 'node:test';

import { PAGE_TONE } from './expect.mjs';
import { testWorld } from './world.mjs';

const world = testWorld();

test('every answer of the page says what it may do', async () => {
  for (const file of ['', 'app.js', 'campana.js', 'style.css', 'config.json']) {
    const answer = await fetch(world.campana.url + file);
    assert.equal(answer.status, 200, file);
    const policy = Object.fromEntries(answer.headers.get('content-security-policy').split(';')
      .map((directive) => directive.trim().split(/\s+(.*)/)).map(([name, sources]) => [name, sources]));
    assert.equal(policy['default-src'], "'none'");
    assert.equal(policy['script-src'], "'self'");
    assert.equal(policy['style-src'], "'self'");
    assert.equal(policy['connect-src'], `'self' ${new URL(world.server.websocket).origin}`);
    await answer.arrayBuffer();
  }
  const html = await (await fetch(world.campana.url)).text();
  for (const [tag, attributes, inside] of html.matchAll(/<script\b([^>]*)>(.*?)<\/script>/gs)) {
    assert.match(attributes, /\bsrc="[a-z.]+"/, tag);
    assert.equal(inside, '', tag);
  }
  assert.doesNotMatch(html, /<style\b|\sstyle=|\son[a-z]+=/i);
});

test('no request leaves the page but to Campana and the XMPP server', async (t) => {
  const page = await world.page(undefined, { tone: PAGE_TONE, browser: 'chromium' });
  const asked = new Set();
  page.page.on('request', (request) => asked.add(request.url()));
  page.page.on('websocket', (socket) => asked.add(socket.url()));
  await page.page.reload();
  const { jid, password } = await world.person('juliet');
  await page.logIn(jid, password);
  await page.dial(`echo@${world.campana.service}`, { video: true });
  await page.connected();
  await page.moves('#tiles video');
  await page.press('#show-network');
  await page.shows('#network-pairs tr.selected');
  await page.hangUp();

  const origins = [...asked].filter((url) => !/^(data|blob):/.test(url)).map((url) => new URL(url).origin);
  const allowed = [new URL(world.campana.url).origin, new URL(world.server.websocket).origin];
  assert.deepEqual([...new Set(origins)].sort(), allowed.sort());
  const refusals = page.console.filter((line) => /Content.Security.Policy/i.test(line));
  assert.deepEqual(refusals, []);
  t.diagnostic([...asked].map((url) => url.slice(0, 60)).join(' '));
  await page.close();
});

for (const browser of ['chromium', 'firefox']) {
  test(`${browser} keeps what is not allowed from the page`, async () => {
    const page = await world.page(undefined, { browser });
    const outcome = await page.page.evaluate(async () => {
      const told = [];
      addEventListener('securitypolicyviolation', ({ effectiveDirective }) => told.push(effectiveDirective));
      const script = document.createElement('script');
      script.textContent = 'globalThis.injected = true';
      const button = document.createElement('button');
      button.setAttribute('onclick', 'globalThis.injected = true');
      document.body.append(script, button);
      button.click();
      const image = new Image();
      image.src = 'https://example.org/pixel.png';
      const asked = await fetch('https://example.org/').then(() => 'answered', () => 'refused');
      await new Promise((resolve) => setTimeout(resolve, 300));
      return { told: told.map((name) => name.replace(/-(elem|attr)$/, '')), asked, injected: globalThis.injected };
    });
    assert.equal(outcome.injected, undefined);
    assert.equal(outcome.asked, 'refused');
    for (const directive of ['script-src', 'img-src', 'connect-src']) {
      assert.ok(outcome.told.includes(directive), `${directive}: ${outcome.told}`);
    }
    await page.close();
  });
}
