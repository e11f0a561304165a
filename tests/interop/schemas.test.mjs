// The schema accepts what may be said and refuses each of the mistakes.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';

const SCHEMAS = path.resolve(import.meta.dirname, '../../schemas');

for (const [kind, status] of [['valid', 0], ['invalid', 3]]) {
  test(`each ${kind} sample is found ${kind}`, () => {
    const directory = path.join(SCHEMAS, 'samples', kind);
    const samples = readdirSync(directory);
    assert.ok(samples.length >= 20, `${samples.length} samples`);
    for (const sample of samples) {
      const schema = path.join(SCHEMAS, 'campana-sdp.xsd');
      const run = spawnSync('xmllint', [
        '--noout', '--nonet', '--schema', schema, path.join(directory, sample),
      ], { encoding: 'utf8' });
      assert.equal(run.status, status, `${sample}: ${run.error ?? run.stderr}`);
    }
  });
}
