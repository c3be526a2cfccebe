import { symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { openOutput } from '../../../encoder/package/output-file.ts';
import { output } from '../support/clips.ts';

t.test('only regular files are opened: no link is followed, no pipe waited for', async (t) => {
  const directory = t.testdir();
  const at = (name: string): string => join(directory, name);
  await writeFile(at('video-0.mp4'), 'abc');
  const { handle, sizeBytes } = await openOutput(at('video-0.mp4'));
  t.equal(sizeBytes, 3);
  await handle.close();
  await symlink('/etc/passwd', at('link.mp4'));
  await output('mkfifo', [at('pipe.mp4')]);
  for (const name of ['link.mp4', 'pipe.mp4', 'none.mp4', '.']) {
    await t.rejects(openOutput(at(name)), { code: 'ENCODE_FAILED' }, name);
  }
});
