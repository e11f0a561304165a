// Bundles the page and the library into dist/.

import { copyFileSync, mkdirSync } from 'node:fs';

import { build } from 'esbuild';

mkdirSync('dist', { recursive: true });
for (const file of ['index.html', 'style.css']) copyFileSync(file, `dist/${file}`);
await build({
  entryPoints: ['app.js', 'campana.js'],
  outdir: 'dist',
  bundle: true,
  format: 'esm',
  minify: true,
  legalComments: 'linked',
  target: 'es2022',
});
