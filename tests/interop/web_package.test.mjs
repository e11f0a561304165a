// What npm would publish: an app that is written as the README says and bundled against it makes a call.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import test, { after } from 'node:test';

import { until } from './process.mjs';
import { testWorld } from './world.mjs';

const WEB = path.resolve(import.meta.dirname, '../../web');
const tool = (name) => path.join(WEB, 'node_modules/.bin', name);
const world = testWorld();
const files = new Map();
const server = http.createServer(({ url }, answer) => {
  const { pathname } = new URL(url, 'http://localhost');
  const found = files.get(pathname);
  answer.writeHead(found ? 200 : 404, { 'content-type': pathname.endsWith('.js') ? 'text/javascript' : 'text/html' });
  answer.end(found ?? '');
});
let app;
let packed;
world.before(async () => {
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  app = path.join(world.dir, 'app');
  const installed = path.join(app, 'node_modules');
  mkdirSync(installed, { recursive: true });
  [packed] = JSON.parse(execFileSync('npm', ['pack', '--json', '--pack-destination', world.dir], { cwd: WEB, encoding: 'utf8' }));
  execFileSync('tar', ['-xzf', path.join(world.dir, packed.filename), '-C', installed]);
  renameSync(path.join(installed, 'package'), path.join(installed, 'campana-web'));
  cpSync(path.join(WEB, 'node_modules/strophe.js'), path.join(installed, 'strophe.js'), { recursive: true });
});
after(() => server.close());

test('the package holds what it should and nothing else', () => {
  const names = packed.files.map(({ path: name }) => name);
  for (const name of ['campana.js', 'call.js', 'types/campana.d.ts', 'README.md', 'LICENSE', 'package.json']) {
    assert.ok(names.includes(name), name);
  }
  const strange = names.filter((name) => !/^([a-z]+\.js|types\/[a-z]+\.d\.ts|README\.md|LICENSE|package\.json)$/.test(name));
  assert.deepEqual(strange, []);
});

test('its types are those of the library', () => {
  const source = `
    import { connect, CampanaError, type Call, type Peer, type Report } from 'campana-web';
    const client = await connect({ jid: 'a@b', password: '', service: 'call.b' });
    const call: Call = await client.call('c@d', { video: true });
    const report: Report | null = await call.network();
    const people: Peer[] = (await client.peers()).list;
    await call.hangUp();
    // @ts-expect-error there is no such state
    if (call.state === 'asleep') throw new CampanaError('lost', String(report) + people.length);
    // @ts-expect-error a service is needed
    await connect({ jid: 'a@b' });
    export {};`;
  writeFileSync(path.join(app, 'app.ts'), source);
  execFileSync(tool('tsc'), [
    '--noEmit', '--strict', '--target', 'es2023', '--lib', 'es2023,dom', '--module', 'esnext',
    '--moduleResolution', 'bundler', '--types', '', 'app.ts',
  ], { cwd: app, stdio: 'pipe', encoding: 'utf8' });
});

for (const browser of ['chromium', 'firefox']) {
  test(`the example of the README calls, in ${browser}`, async () => {
    const [, example] = readFileSync(path.join(app, 'node_modules/campana-web/README.md'), 'utf8').match(/^```js\n(.*?)^```/ms);
    const { jid, password } = await world.person('juliet');
    const source = Object.entries({
      "'juliet@example.org'": JSON.stringify(jid), "'…'": JSON.stringify(password),
      "'call.example.org'": `'${world.campana.service}', websocket: '${world.server.websocket}'`,
      romeo: 'echo', 'example.net': world.campana.service,
    }).reduce((text, [from, to]) => {
      assert.ok(text.includes(from), from);
      return text.replace(from, to);
    }, example);
    writeFileSync(path.join(app, 'app.js'), source);
    const out = path.join(app, 'out.js');
    execFileSync(tool('esbuild'), ['app.js', '--bundle', '--format=esm', `--outfile=${out}`, '--log-level=warning'], { cwd: app });
    files.set('/app.js', readFileSync(out));
    files.set('/', '<!doctype html><title>App</title><video autoplay playsinline muted></video><script type=module src=app.js></script>');

    const url = `http://127.0.0.1:${server.address().port}/`;
    const tab = await world.page(undefined, { browser, url });
    await tab.moves('video', 30_000);
    await until('it says that it is connected', () => tab.console.some((line) => /\bconnected\b/.test(line)));
    await tab.close();
  });
}
