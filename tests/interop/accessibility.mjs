// What axe-core finds in the page, and in those for operators: WCAG 2.2 A and AA and its own best
// practices, by day and by night, on a desk and on a phone. The same in either browser.

import assert from 'node:assert/strict';
import test from 'node:test';

import axe from 'axe-core';

import { until } from './process.mjs';
import { TOUR, tour } from './tour.mjs';
import { testWorld } from './world.mjs';

const OPERATORS = ['calls', 'ladder'];
const SIZES = { desk: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } };

/** @param {'chromium' | 'firefox'} browser */
export function testAccessibility(browser) {
  const world = testWorld(TOUR);

  test('axe-core finds nothing serious at any place of the page', async (t) => {
    const found = [];
    let looked = 0;
    await tour(world, browser, async (place, device) => {
      const { page } = device;
      // What is behind another tab Firefox hardly draws: its colours would never arrive.
      await page.bringToFront();
      if (!await page.evaluate(() => Boolean(globalThis.axe))) await page.evaluate(axe.source);
      for (const [on, size] of Object.entries(SIZES)) {
        await page.setViewportSize(size);
        for (const colorScheme of ['light', 'dark']) {
          await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
          const { violations, passes } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
          assert.ok(passes.length > 5, 'it looked');
          looked += 1;
          for (const { id, impact, nodes } of violations) {
            for (const { html, failureSummary } of nodes) {
              found.push({ where: `${place}, ${on}, ${colorScheme}`, id, impact, html, failureSummary });
            }
          }
          // Operators' tables are dense, and read on a desk: there axe-core's 24 px do.
          const small = on === 'phone' && !OPERATORS.includes(place) ? await page.evaluate(smallTargets) : [];
          for (const html of small) found.push({ where: `${place}, ${on}`, id: '44 px', impact: 'serious', html });
          const wide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
          if (wide) found.push({ where: `${place}, ${on}`, id: 'scrolls sideways', impact: 'serious' });
        }
      }
      await page.setViewportSize(SIZES.desk);
    });
    t.diagnostic(`${looked} looks; ${found.length} findings`);
    for (const finding of found) t.diagnostic(JSON.stringify(finding));
    assert.deepEqual(found.filter(({ impact }) => ['serious', 'critical'].includes(impact)), []);
  });

  test('a call is made and taken by the keyboard alone, and told of in words', async () => {
    const [juliet, romeo] = [await world.person('juliet'), await world.person('romeo')];
    await world.befriend(juliet, romeo);
    const [hers, his] = [await world.page(undefined, { carry: true, browser }), await world.page(undefined, { carry: true, browser })];
    for (const [device, { jid, password }] of [[his, romeo], [hers, juliet]]) {
      await device.page.bringToFront();
      await focused(device, '#jid');
      await device.page.keyboard.type(jid);
      await device.page.keyboard.press('Tab');
      await device.page.keyboard.type(password);
      await device.page.keyboard.press('Enter');
      await device.says(/^Ready/);
    }
    await focused(hers, '#address');
    await hers.shows('#contacts [data-jid^=romeo-] [data-kind=audio]');
    await tabTo(hers, '#contacts [data-jid^=romeo-] [data-kind=audio]');
    await hers.page.keyboard.press('Enter');

    await hers.says(/rings/);
    await his.shows('#incoming');
    await his.page.bringToFront();
    await focused(his, '#caller');
    await his.page.keyboard.press('Enter');
    assert.equal((await his.call()).state, 'incoming', 'what was typed elsewhere takes no call');
    await tabTo(his, '#accept');
    await his.page.keyboard.press('Enter');
    await his.connected();
    await focused(his, '#peer');
    await tabTo(his, '#mute-audio');
    await his.page.keyboard.press(' ');
    await his.shows('#mute-audio', /^Unmute$/);
    await tabTo(his, '#show-network');
    await his.page.keyboard.press('Enter');
    await focused(his, '#network-title');
    await his.page.keyboard.press('Escape');
    await his.hides('#network');
    await focused(his, '#show-network');
    await tabTo(his, '#hang-up');
    await his.page.keyboard.press('Enter');
    for (const device of [his, hers]) await device.says(/^The call is over/);
    await focused(his, '#address');
    const status = await his.page.evaluate(() => document.getElementById('status').ariaLive);
    assert.equal(status, 'polite');

    await hers.page.bringToFront();
    await tabTo(hers, '#contacts [data-jid^=romeo-] [data-kind=audio]');
    await hers.page.keyboard.press('Enter');
    await his.shows('#incoming');
    await his.page.bringToFront();
    await his.page.keyboard.press('Escape');
    await hers.says(/declined/);
  });
}

const isFocused = (device, selector) => device.page.evaluate((wanted) => document.activeElement?.matches(wanted) ?? false, selector);

/** The keyboard is there. */
function focused(device, selector) {
  return until(`${selector} has the keyboard`, () => isFocused(device, selector));
}

/** Presses Tab until the keyboard is there. */
async function tabTo(device, selector) {
  for (let pressed = 0; pressed < 40; pressed += 1) {
    if (await isFocused(device, selector)) return;
    await device.page.keyboard.press('Tab');
  }
  throw new Error(`Tab does not lead to ${selector}`);
}

/** Runs in the page: what a finger may miss. */
function smallTargets() {
  const modal = document.querySelector('dialog:modal') ?? document;
  return [...modal.querySelectorAll('button, input, select, summary, a')]
    .filter((element) => element.checkVisibility({ visibilityProperty: true }))
    .filter((element) => {
      const { width, height } = element.getBoundingClientRect();
      return width < 44 || height < 44;
    })
    .map((element) => element.outerHTML.slice(0, 120));
}
