import { join } from 'node:path';
import t from 'tap';
import { openAuditLog } from '../../../../common/adapters/audit-log/open.ts';
import type { AuditDraft } from '../../../../common/contract/audit.ts';
import { createSilentLog } from '../../../../common/runtime/log.ts';
import { createJournal } from '../../../../control-plane/services/audit/journal.ts';
import { HeldLog } from '../../../support/held-log.ts';

const draft: AuditDraft = { atMs: 1, account: 'operator', action: 'sign-in', outcome: 'begun' };
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

t.test(
  'what comes while the disk is busy waits for a sync of its own, and what waits is bounded',
  async (t) => {
    const held = new HeldLog();
    const path = join(t.testdir(), 'audit.db');
    const auditLog = await openAuditLog(`sqlite://${path}`, { onLost: t.fail, openLog: async () => held });
    const journal = createJournal({ auditLog, log: createSilentLog() });
    const first = journal.append(draft);
    const one = await held.sync(0);
    const second = journal.append(draft);
    (await held.sync(1)).resolve();
    t.equal((await second).sequence, 2, 'in the order in which they came');
    let isFlushed = false;
    const flushed = journal.flush().then(() => {
      isFlushed = true;
    });
    const many = Array.from({ length: 4999 }, () => journal.append(draft));
    t.throws(() => journal.append(draft), { code: 'OVERLOADED' });
    await turn();
    t.notOk(isFlushed);
    one.resolve();
    t.equal((await first).sequence, 1);
    await flushed;
    for (let at = 2; at < 4; at++) void held.sync(at).then(({ resolve }) => resolve());
    t.equal((await Promise.all(many)).at(-1)?.sequence, 5001);
    await journal.flush();
    await auditLog.close();
  },
);
