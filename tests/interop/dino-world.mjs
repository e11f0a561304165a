// A person with Dino, a person in a browser, and what to demand of their calls.

import assert from 'node:assert/strict';
import path from 'node:path';
import { afterEach } from 'node:test';

import { startDino } from './dino.mjs';
import { startEjabberd } from './ejabberd.mjs';
import { PAGE_TONE, PEER_TONE } from './expect.mjs';
import { sleep, until } from './process.mjs';
import { testWorld } from './world.mjs';

/**
 * A world for one test file in which Dino knows the page's gateway address, or, where it carries its
 * calls, its person's own.
 */
export function dinoWorld({ camera = false, carry = false } = {}) {
  // `localhost` is resolved without asking: Dino would find no server there.
  const world = testWorld({ startServer: ({ dir }) => startEjabberd({ dir, host: 'im.test' }) });
  const both = new Both();
  world.before(async () => {
    const [juliet, romeo] = [await world.person('juliet'), await world.person('romeo')];
    both.romeo = romeo;
    both.address = carry ? juliet.jid : world.addressOf(juliet);
    both.anotherTab = () => world.page(juliet, { tone: PAGE_TONE, carry });
    if (carry) await world.befriend(juliet, romeo);
    else await world.server.addContact(romeo.jid.split('@')[0], both.address);
    both.page = await world.page(juliet, { tone: PAGE_TONE, carry });
    both.dino = await startDino({
      dir: path.join(world.dir, 'dino'), server: world.server, person: romeo, contacts: [both.address],
      tone: PEER_TONE, camera,
    });
    world.closing(() => both.dino.stop());
  });
  afterEach(async (t) => {
    if (!t.passed) await both.dino.screenshot(path.join(world.dir, `${t.name}.png`)).catch(() => {});
    await both.page.hangUp(100).catch(() => {});
    await both.dinoIsFree();
  });
  return both;
}

class Both {
  /** Who has Dino. */
  romeo;
  /** Where Dino calls the person at the page. */
  address;
  page;
  dino;
  /** Opens one more page of that person. */
  anotherTab;

  /** Dino calls, and the page rings. */
  async dinoCalls(options) {
    await this.dino.dial(this.address, options);
    await until('the page rings', () => this.page.rings());
  }

  /** The page calls, and Dino rings. */
  async pageCalls(options) {
    await this.page.dial(this.romeo.jid, options);
    return this.dino.incoming();
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
    const before = (await page.media()).audioPackets;
    await sleep(1000);
    const { audioPackets, local, remote } = await page.media();
    assert.ok(audioPackets >= before + 20, `packets at the page: ${before} → ${audioPackets}`);
    return {
      packetsAtPage: audioPackets, 'page: Dino’s tone': await page.tone(PEER_TONE),
      'Dino: page’s tone': dino.tone(PAGE_TONE), path: `${local?.type} – ${remote?.type}`,
    };
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
