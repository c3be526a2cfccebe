import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';

import { fuzzEngine, makeNative, nativePath } from '../../../support/fuzz-engine.ts';

const run = promisify(execFile);
const units = readdirSync(nativePath)
  .filter((name) => /^test-.*\.cc$/.test(name))
  .map((name) => name.slice(0, -'.cc'.length));

t.setTimeout(600_000);

for (const unit of units) {
  t.test(`${unit}, with ASan and UBSan`, async (t) => {
    await makeNative(unit);
    t.match(await run(join(nativePath, 'build', unit)), { stderr: '' });
  });
}

t.test('test-disk, with ThreadSanitizer', async (t) => {
  await makeNative('test-disk-tsan');
  // ThreadSanitizer knows where things are in memory: not at random.
  t.match(await run('setarch', ['-R', join(nativePath, 'build/test-disk-tsan')]), { stderr: '' });
});

t.test('a short run of the fuzz targets finds nothing', async (t) => {
  const results = await fuzzEngine({ seconds: 4, seed: 1, fresh: true });
  t.equal(results.length, 2);
  for (const { target, runs, finding } of results) {
    t.equal(finding, undefined, target);
    t.ok(runs > 100, `${target}: ${runs} executions`);
  }
});
