// A person with Dino, a person in a browser, and what to demand of their calls.

import assert from 'node:assert/strict';
import path from 'node:path';
import { afterEach } from 'node:test';

import { startDino } from './dino.mjs';
import { startEjabberd } from './ejabberd.mjs';
import { PAGE_TONE, PEER_TONE, expectPageEnded } from './expect.mjs';
import { apartWorld } from './islands.mjs';
import { until } from './process.mjs';
import { openCalls } from './tour.mjs';
import { testWorld } from './world.mjs';

/**
 * A world for one test file in which Dino knows the page's gateway address, or, where it carries its
 * calls, its person's own.
 * @param {{
 *   camera?: boolean, carry?: boolean, startServer?: Function, privileged?: boolean, contacts?: boolean,
 *   apart?: boolean,
 * }} [options] `contacts`: only contacts may call, these two have each other's gateway address as one,
 *   and no page is open yet; `apart`: Dino and the page are in networks of their own, as of `islands.mjs`
 */
export function dinoWorld({
  camera = false, carry = false, startServer = startEjabberd, privileged = true, contacts = false,
  apart = false,
} = {}) {
  const make = apart ? apartWorld : testWorld;
  const world = make({
    // `localhost` is resolved without asking: Dino would find no server there.
    startServer: ({ dir }) => startServer({ dir, host: 'im.test', privileged }),
    config: {
      http: { admin_token: TOKEN },
      // Dino does not give back what its calls allocated.
      turn: { user_allocations: 64 },
      ...contacts && { access: { mode: 'contacts' } },
    },
  });
  const both = new Both();
  world.before(async () => {
    const [juliet, romeo] = [await world.person('juliet'), await world.person('romeo')];
    both.romeo = romeo;
    both.relay = world.relay;
    both.address = carry ? juliet.jid : world.addressOf(juliet);
    both.calls = () => openCalls(world, TOKEN);
    both.pictures = world.dir;
    both.network = world.far;
    both.network?.countDatagrams(world.relay.port);
    both.anotherTab = () => world.page(juliet, { tone: PAGE_TONE, carry, network: world.near });
    await world.introduce(juliet, romeo, carry ? undefined : (person) => world.addressOf(person));
    if (!contacts) both.page = await both.anotherTab();
    both.dino = await startDino({
      dir: path.join(world.dir, 'dino'), server: world.server, person: romeo, contacts: [both.address],
      tone: PEER_TONE, camera, network: world.far,
    });
    world.closing(() => both.dino.stop());
  });
  afterEach(async (t) => {
    if (!t.passed) await both.dino.screenshot(path.join(world.dir, `${t.name}.png`)).catch(() => {});
    await both.page?.hangUp(100).catch(() => {});
    await both.dinoIsFree();
  });
  return both;
}

class Both {
  /** Who has Dino. */
  romeo;
  /** Campana's TURN server. */
  relay;
  /** Where Dino is, if not here. */
  network;
  /** Where Dino calls the person at the page. */
  address;
  page;
  dino;
  /** Opens one more page of that person. */
  anotherTab;
  /** Opens the list of calls, as operators see it. */
  calls;
  /** The folder for pictures that people may want to look at. */
  pictures;

  /** Dino calls, and the page rings. */
  async dinoCalls(options) {
    await this.dino.dial(this.address, options);
    await until('the page rings', () => this.page.rings());
  }

  /** Dino calls, the page takes it, they hear each other, and Dino hangs up. */
  async dinoCallsAndHangsUp(t) {
    await this.dinoCalls();
    assert.equal(await this.page.page.textContent('#caller'), `${this.romeo.jid} calls`);
    await this.page.accept();
    await this.page.connected();
    t.diagnostic(JSON.stringify(await this.expectSoundBothWays()));
    await this.dino.hangUp();
    await expectPageEnded(this.page, 'success');
  }

  /** The page calls, and Dino rings. */
  async pageCalls(options) {
    await this.page.dial(this.romeo.jid, options);
    return this.dino.incoming();
  }

  /** An operator finds the call that was last, and sees in its ladder what was said. @param {RegExp[]} said */
  async expectLadder(...said) {
    const operator = await this.calls();
    await operator.press('tbody tr:first-child a');
    await operator.shows('h1', /^Call \d+$/);
    const text = await operator.page.textContent('main');
    for (const pattern of [...said, /the caller has the answer/, /\d host/, /Ended\s*after [\d.]+ s: success/]) {
      assert.ok(pattern.test(text), `${pattern} is not in the ladder`);
    }
    await operator.page.setViewportSize({ width: 1440, height: 900 });
    await operator.page.screenshot({ path: path.join(this.pictures, 'ladder.png'), fullPage: true });
    await operator.close();
  }

  /** The window of a call that is over stays for some seconds. */
  dinoIsFree() {
    return until('Dino is in no call', async () => !(await this.dino.inCall()), { within: 20_000, every: 200 });
  }

  /** Each end hears the other's tone, not its own, and packets go on arriving. */
  async expectSoundBothWays() {
    const { dino, page } = this;
    await until('Dino hears the page', () => dino.tone(PAGE_TONE) > 0.5, { within: 20_000 });
    await until('the page hears Dino', async () => await page.tone(PEER_TONE) > 0.5, { within: 20_000 });
    const own = { dino: dino.tone(PEER_TONE), page: await page.tone(PAGE_TONE) };
    assert.ok(own.dino < 0.1 && own.page < 0.1, `they hear themselves: ${JSON.stringify(own)}`);
    // On a busy machine either may stand still for a while; what counts is that it goes on.
    let now = await page.media();
    const enough = now.audioPackets + 40;
    await until('packets go on to arrive at the page', async () => {
      now = await page.media();
      return now.audioPackets >= enough;
    });
    const { audioPackets, local, remote } = now;
    return {
      packetsAtPage: audioPackets, 'page: Dino’s tone': await page.tone(PEER_TONE),
      'Dino: page’s tone': dino.tone(PAGE_TONE), path: `${local?.type} – ${remote?.type}`,
      ...this.network && await this.#expectRelayed(local, remote),
    };
  }

  /** Both ends use relays of ours, and nothing else comes to Dino. */
  async #expectRelayed(local, remote) {
    for (const end of [local, remote]) assert.equal(end.type, 'relay');
    assert.equal(remote.address, this.relay.address);
    const before = this.network.datagrams();
    const now = await until('datagrams go on to pass Dino’s relay', () => {
      const { received, sent, strange } = this.network.datagrams();
      return received >= before.received + 40 && sent >= before.sent + 40 && { received, sent, strange };
    });
    assert.equal(now.strange, 0, 'somebody else reached Dino');
    return { datagramsAtDino: now };
  }

  /** Gives how many pictures the page has decoded. */
  expectPicturesAtPage() {
    return until('pictures at the page', async () => {
      const { videoFrames } = await this.page.media();
      return videoFrames >= 10 && videoFrames;
    }, { within: 20_000 });
  }

  /** Dino shows what the page's camera sees: Chromium's is green and moves, Dino itself is not green. */
  async expectPictureAtDino() {
    return until('Dino shows the page’s picture', async () => {
      const picture = await this.dino.picture();
      if (picture.green > 0.3 && picture.moving > 0.002) return picture;
      await this.page.sendKeyFrame();
      return false;
    }, { within: 30_000, every: 2000 });
  }
}

/** Dino's numbers for what became of a call. */
export const DECLINED = 5;
export const MISSED = 6;

const TOKEN = 'what only operators know';
