import type t from 'tap';

import type { AuditLog } from '../../common/adapters/audit-log/port.ts';
import type { AuditDraft } from '../../common/contract/audit.ts';
import { auditBeginning, AuditWalk } from '../../common/core/audit-chain.ts';

type Test = Pick<typeof t, 'test'>;

const draft = (at: number, more: Partial<AuditDraft> = {}): AuditDraft => ({
  ...{ atMs: 1000 * at, account: 'usr_aaaaaaaa', action: 'sign-in', outcome: 'done' as const },
  ...more,
});

/** The behaviour that every engine of the port of the audit log has. `openAuditLog` gives an empty one. */
export function auditLogConformance(t: Test, openAuditLog: () => Promise<AuditLog>): void {
  t.test('entries follow one another, and are read from both ends', async (t) => {
    const auditLog = await openAuditLog();
    t.teardown(() => auditLog.close());
    t.same(await auditLog.head(), auditBeginning);
    t.same(await auditLog.append([]), []);
    const first = await auditLog.append([draft(1), draft(2, { object: 'usr_b', detail: 'ÿ "\u{1f600}' })]);
    const second = await auditLog.append([draft(3, { account: 'operator', action: 'DELETE /v1/nodes/:id' })]);
    const all = [...first, ...second];
    t.same(
      all.map(({ sequence }) => sequence),
      [1, 2, 3],
    );
    t.same(await auditLog.head(), { sequence: 3, hash: second[0]?.hash });
    const oldest = await auditLog.read({ after: 0, limit: 10 });
    t.same(oldest, all);
    const walk = new AuditWalk(await auditLog.anchor());
    for (const entry of oldest) t.equal(walk.step(entry), undefined);
    t.equal(walk.end(), undefined);
    const numbers = async (query: object): Promise<number[]> =>
      (await auditLog.read({ limit: 10, ...query })).map(({ sequence }) => sequence);
    t.same(await numbers({}), [3, 2, 1]);
    t.same(await numbers({ limit: 2 }), [3, 2]);
    t.same(await numbers({ before: 3, limit: 1 }), [2]);
    t.same(await numbers({ after: 1 }), [2, 3]);
    t.same(await numbers({ account: 'operator' }), [3]);
    t.same(await numbers({ action: 'sign' }), [2, 1]);
    t.same(await numbers({ action: 'DELETE /v1/nodes', account: 'usr_aaaaaaaa' }), []);
    t.same(await numbers({ object: 'usr_b' }), [2]);
    t.same(await numbers({ fromMs: 2000, toMs: 3000 }), [2]);
  });

  t.test('all of a group or none, and no more than is taken at once', async (t) => {
    const auditLog = await openAuditLog();
    t.teardown(() => auditLog.close());
    await t.rejects(auditLog.append(Array.from({ length: 1001 }, () => draft(1))), {
      code: 'VALUE_TOO_LARGE',
    });
    t.same(await auditLog.read({ limit: 1 }), []);
    const groups = await Promise.all(
      Array.from({ length: 5 }, (_, at) => auditLog.append([draft(at), draft(at)])),
    );
    t.same(
      groups.flat().map(({ sequence }) => sequence),
      Array.from({ length: 10 }, (_, at) => at + 1),
    );
  });

  t.test('the oldest go when their time has come, and the chain goes on behind them', async (t) => {
    const auditLog = await openAuditLog();
    t.teardown(() => auditLog.close());
    t.equal(await auditLog.due({ beforeMs: 9e12, keepMax: 10 }), undefined);
    const entries = await auditLog.append([1, 2, 3, 4, 5, 6].map((at) => draft(at)));
    t.equal(await auditLog.due({ beforeMs: 1000, keepMax: 10 }), undefined);
    t.match(await auditLog.due({ beforeMs: 3500, keepMax: 10 }), { sequence: 3, hash: entries[2]?.hash });
    t.match(await auditLog.due({ beforeMs: 0, keepMax: 2 }), { sequence: 4 });
    t.match(await auditLog.due({ beforeMs: 9e12, keepMax: 0 }), { sequence: 5 }, 'the newest stays');
    await t.rejects(auditLog.prune({ sequence: 3, hash: 'f'.repeat(64) }), { code: 'CONFLICT' });
    await auditLog.prune({ sequence: 3, hash: entries[2]?.hash ?? '' });
    t.match(await auditLog.anchor(), { sequence: 3, hash: entries[2]?.hash });
    t.same(await auditLog.read({ after: 0, limit: 10 }), entries.slice(3));
    const [next] = await auditLog.append([draft(7)]);
    t.match(next, { sequence: 7, previous: entries[5]?.hash });
    await t.rejects(auditLog.prune({ sequence: 2, hash: entries[1]?.hash ?? '' }), { code: 'CONFLICT' });
  });
}
