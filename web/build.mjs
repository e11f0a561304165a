// Bundles the page and the library into dist/. What has not changed is not written: cargo would build
// the binary, which holds it, anew.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';

import { build } from 'esbuild';

const { outputFiles } = await build({
  entryPoints: ['page/app.js', 'campana.js'],
  entryNames: '[name]',
  outdir: 'dist',
  bundle: true,
  format: 'esm',
  minify: true,
  legalComments: 'linked',
  target: 'es2022',
  write: false,
});
mkdirSync('dist', { recursive: true });
for (const name of ['index.html', 'style.css']) put(`dist/${name}`, readFileSync(`page/${name}`));
for (const { path, contents } of outputFiles) put(path, contents);

/**
 * @param {string} file
 * @param {Uint8Array} contents
 */
function put(file, contents) {
  if (!existsSync(file) || !readFileSync(file).equals(contents)) writeFileSync(file, contents);
}
