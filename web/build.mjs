// Bundles the page and the library into dist/.

import { copyFileSync, mkdirSync } from 'node:fs';

import { build } from 'esbuild';

mkdirSync('dist', { recursive: true });
for (const file of ['index.html', 'style.css']) copyFileSync(`page/${file}`, `dist/${file}`);
await build({
  entryPoints: ['page/app.js', 'campana.js'],
  entryNames: '[name]',
  outdir: 'dist',
  bundle: true,
  format: 'esm',
  minify: true,
  legalComments: 'linked',
  target: 'es2022',
});
