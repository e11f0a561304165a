// What several tests demand of a call.

import assert from 'node:assert/strict';

import { sleep, until } from './process.mjs';

/** The frequencies of the two ends; neither is a harmonic of the other. */
export const PAGE_TONE = 440;
export const PEER_TONE = 1000;

/**
 * Each end hears the other's tone, not its own, and goes on hearing it.
 * @param {object} page a WebDevice
 * @param {object} call a JingleCall
 */
export async function expectSoundBothWays(page, call) {
  await until('the peer hears the page', () => call.audio?.tone(PAGE_TONE) > 0.5, { within: 15_000 });
  await until('the page hears the peer', async () => await page.tone(PEER_TONE) > 0.5, { within: 15_000 });
  // On a busy machine either may stand still for a while; what counts is that it goes on.
  let now;
  await until('sound goes on both ways', async () => {
    const before = { here: (await page.media()).audioPackets, there: call.audio.frames };
    await sleep(500);
    now = { here: (await page.media()).audioPackets, there: call.audio.frames };
    return now.here >= before.here + 10 && now.there >= before.there + 20;
  }, { within: 15_000 });
  const energy = {
    'page: peer’s tone': await page.tone(PEER_TONE), 'page: own tone': await page.tone(PAGE_TONE),
    'peer: page’s tone': call.audio.tone(PAGE_TONE), 'peer: own tone': call.audio.tone(PEER_TONE),
  };
  assert.ok(energy['page: peer’s tone'] > 0.5 && energy['page: own tone'] < 0.1, JSON.stringify(energy));
  assert.ok(energy['peer: page’s tone'] > 0.5 && energy['peer: own tone'] < 0.1, JSON.stringify(energy));
  return { packetsAtPage: now.here, framesAtPeer: now.there, ...energy };
}

/** The call at the page is over, for this reason. */
export async function expectPageEnded(page, reason, patience = 10_000) {
  await until('the call at the page is over', async () => (await page.call()).state === 'ended', { within: patience });
  assert.equal((await page.call()).reason, reason);
}

/** The call at the Jingle client is over, for this reason. */
export async function expectPeerEnded(call, reason, patience = 10_000) {
  await until('the call at the peer is over', () => call.ended, { within: patience });
  assert.equal(call.ended, reason);
}

/** A page calls a Jingle client and both are connected. */
export async function connectPageToPeer(world, page, jingle, person, { video = false } = {}) {
  await page.dial(person.jid, { video });
  const call = await jingle.incoming();
  await call.accept({ tone: PEER_TONE });
  await page.connected();
  await until('the peer is connected', () => call.connected);
  return call;
}
