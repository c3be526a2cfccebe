import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';

import { loadAddon } from '../../../appliance/engine/native-loader.ts';
import { createLog } from '../../../common/runtime/log.ts';
import { temporaryDirectory } from '../../support/appliance/serving-box.ts';

t.test('an addon that is not for this runtime is not touched, and one line says why', async (test) => {
  const directory = `${await temporaryDirectory(test)}/`;
  const lines: string[] = [];
  const log = createLog({ name: 'box', write: (line) => lines.push(line) });
  const { node, openssl } = process.versions;
  const built = { node, openssl, arch: process.arch };
  const cases: [info: unknown, why: RegExp][] = [
    [undefined, /it is not built/],
    [{ ...built, openssl: '3.0.2' }, /it was built for openssl 3\.0\.2, this is/],
    [{ ...built, node: '20.1.0' }, /it was built for node 20\.1\.0, this is/],
    [{ ...built, arch: 'sparc' }, /it was built for arch sparc, this is/],
    [{ node }, /build-info\.json of the native engine: openssl is missing/],
    // For this runtime by its own word, and broken: what the linker says is told.
    [built, /engine\.node: (?:file too short|invalid ELF header)/],
  ];
  await writeFile(join(directory, 'engine.node'), 'not a library');
  for (const [info, why] of cases) {
    if (info !== undefined) await writeFile(join(directory, 'build-info.json'), JSON.stringify(info));
    test.equal(loadAddon(log, directory), undefined);
    test.match(lines, [why]);
    lines.length = 0;
  }
});
