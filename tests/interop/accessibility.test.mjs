// What axe-core finds in the page: WCAG 2.2 A and AA and its own best practices, by day and by night, on
// a desk and on a phone.

import assert from 'node:assert/strict';
import test from 'node:test';

import axe from 'axe-core';

import { TOUR, tour } from './tour.mjs';
import { testWorld } from './world.mjs';

const world = testWorld(TOUR);
const SIZES = { desk: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } };

test('axe-core finds nothing serious at any place of the page', async (t) => {
  const found = [];
  let looked = 0;
  await tour(world, async (place, device) => {
    const { page } = device;
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
        const small = on === 'phone' ? await page.evaluate(smallTargets) : [];
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
