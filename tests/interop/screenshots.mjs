// Pictures of the page, for those who change how it looks: at every place, on a desk and on a phone, by
// day and by night, in English and Chinese.
//
//   node screenshots.mjs [folder]        target/screenshots if none is given

import { mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';

import { TOUR, tour } from './tour.mjs';
import { World } from './world.mjs';

const folder = path.resolve(process.argv[2] ?? path.join(import.meta.dirname, '../../target/screenshots'));
const SIZES = { desk: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } };
const LOOKS = [['light', 'en'], ['dark', 'zh'], ['dark', 'en'], ['light', 'zh']];

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
const world = new World();
let taken = 0;
try {
  await world.open(TOUR);
  await tour(world, 'chromium', shoot);
} finally {
  await world.close();
}
process.stdout.write(`${taken} pictures in ${folder}\n`);
process.exit();

/** @param {string} place */
async function shoot(place, { page }) {
  const speaksBoth = await page.evaluate(() => document.getElementById('language') !== null);
  for (const [colorScheme, language] of LOOKS.filter(([, spoken]) => speaksBoth || spoken === 'en')) {
    const shown = await page.getAttribute('html', 'lang');
    // Its button may be behind a dialog.
    if (!shown.startsWith(language)) await page.evaluate(() => document.getElementById('language').click());
    await page.emulateMedia({ colorScheme });
    for (const [on, size] of Object.entries(SIZES)) {
      await page.setViewportSize(size);
      await page.waitForTimeout(150);
      const name = `${place.replaceAll(' ', '-')}.${on}.${colorScheme}.${language}.png`;
      await page.screenshot({ path: path.join(folder, name) });
      taken += 1;
    }
  }
  const shown = await page.getAttribute('html', 'lang');
  if (!shown.startsWith('en')) await page.evaluate(() => document.getElementById('language').click());
  await page.setViewportSize(SIZES.desk);
}
