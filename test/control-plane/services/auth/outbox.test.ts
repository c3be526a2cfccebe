import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import t from 'tap';

import { openMail } from '../../../../common/adapters/mail/open.ts';
import { createManualClock } from '../../../../common/runtime/manual-clock.ts';
import { createOutbox } from '../../../../control-plane/services/auth/outbox.ts';
import { memoryLog } from '../../../support/memory-log.ts';

const letter = {
  ...{ id: 'let_0123456789', accountId: 'acc_0123456789' },
  ...{ to: { name: 'Ada', address: 'ada@example.com' }, subject: 'Hello', text: 'Hello Ada' },
};

t.test('a letter that waits or is being written is not sent about an account that is erased', async (t) => {
  const base = t.testdir();
  const directory = join(base, 'mail');
  const clock = createManualClock();
  const { log, said } = memoryLog();
  const mail = await openMail(pathToFileURL(directory).href, {
    ...{ from: 'nearcast@cdn.example', password: undefined, clock },
  });
  const outbox = createOutbox({ mail, clock, log });
  t.teardown(() => outbox.stop());
  const due = { letter, endsAtMs: clock.nowMs() + 3_600_000 };
  // Where its directory should be is a file: it has to wait.
  await writeFile(directory, '');
  outbox.post(() => Promise.resolve(due));
  while (said.length === 0) await new Promise((resolve) => setImmediate(resolve));
  await rm(directory);
  const written = Promise.withResolvers<typeof due>();
  outbox.post(() => written.promise);
  await new Promise((resolve) => setImmediate(resolve));
  await outbox.forget(letter.accountId);
  written.resolve(due);
  await clock.advance(600_000);
  await outbox.stop();
  t.strictSame(await readdir(base), [], 'nothing was written');
});
