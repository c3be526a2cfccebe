import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';

import { until } from '../control-plane/support/until.ts';

const module = new URL('../support/end-with-us.ts', import.meta.url).href;

t.test('a soak that is told to end ends its processes, and removes its directory', async (t) => {
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    const directory = await mkdtemp(join(tmpdir(), 'nearcast-end-'));
    const program = `
      import { spawn } from 'node:child_process';
      import { endWithUs, removeWithUs } from '${module}';
      removeWithUs('${directory}');
      const child = endWithUs(spawn('sleep', ['1000'], { stdio: 'ignore' }));
      process.stdout.write(String(child.pid));`;
    const soak = spawn(process.execPath, ['--input-type=module', '-e', program]);
    const ended = once(soak, 'exit');
    const [said] = (await once(soak.stdout, 'data')) as [Buffer];
    const pid = Number(said.toString());
    t.ok(existsSync(`/proc/${pid}`) && existsSync(directory));
    soak.kill(signal);
    t.strictSame(await ended, [code, null]);
    await until(
      () => existsSync(`/proc/${pid}`),
      (isThere) => !isThere,
    );
    t.notOk(existsSync(directory));
  }
});
