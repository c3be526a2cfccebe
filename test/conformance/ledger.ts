import type t from 'tap';

import type { Ledger } from '../../common/adapters/ledger/port.ts';
import type { AuditDraft } from '../../common/contract/audit.ts';
import { auditBeginning, AuditWalk } from '../../common/core/audit-chain.ts';

type Test = Pick<typeof t, 'test'>;

const draft = (at: number, more: Partial<AuditDraft> = {}): AuditDraft => ({
  ...{ atMs: 1000 * at, account: 'usr_aaaaaaaa', action: 'sign-in', outcome: 'done' as const },
  ...more,
});

/** The behaviour that every engine of the ledger port has. `openLedger` gives an empty one. */
export function ledgerConformance(t: Test, openLedger: () => Promise<Ledger>): void {
  t.test('entries follow one another, and are read from both ends', async (t) => {
    const ledger = await openLedger();
    t.teardown(() => ledger.close());
    t.same(await ledger.head(), auditBeginning);
    t.same(await ledger.append([]), []);
    const first = await ledger.append([draft(1), draft(2, { object: 'usr_b', detail: 'ÿ "\u{1f600}' })]);
    const second = await ledger.append([draft(3, { account: 'operator', action: 'DELETE /v1/nodes/:id' })]);
    const all = [...first, ...second];
    t.same(
      all.map(({ sequence }) => sequence),
      [1, 2, 3],
    );
    t.same(await ledger.head(), { sequence: 3, hash: second[0]?.hash });
    const oldest = await ledger.read({ after: 0, limit: 10 });
    t.same(oldest, all);
    const walk = new AuditWalk(await ledger.anchor());
    for (const entry of oldest) t.equal(walk.step(entry), undefined);
    t.equal(walk.end(), undefined);
    const numbers = async (query: object): Promise<number[]> =>
      (await ledger.read({ limit: 10, ...query })).map(({ sequence }) => sequence);
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
    const ledger = await openLedger();
    t.teardown(() => ledger.close());
    await t.rejects(ledger.append(Array.from({ length: 1001 }, () => draft(1))), { code: 'VALUE_TOO_LARGE' });
    t.same(await ledger.read({ limit: 1 }), []);
    const groups = await Promise.all(
      Array.from({ length: 5 }, (_, at) => ledger.append([draft(at), draft(at)])),
    );
    t.same(
      groups.flat().map(({ sequence }) => sequence),
      Array.from({ length: 10 }, (_, at) => at + 1),
    );
  });

  t.test('the oldest go when their time has come, and the chain goes on behind them', async (t) => {
    const ledger = await openLedger();
    t.teardown(() => ledger.close());
    t.equal(await ledger.due({ beforeMs: 9e12, keepMax: 10 }), undefined);
    const entries = await ledger.append([1, 2, 3, 4, 5, 6].map((at) => draft(at)));
    t.equal(await ledger.due({ beforeMs: 1000, keepMax: 10 }), undefined);
    t.match(await ledger.due({ beforeMs: 3500, keepMax: 10 }), { sequence: 3, hash: entries[2]?.hash });
    t.match(await ledger.due({ beforeMs: 0, keepMax: 2 }), { sequence: 4 });
    t.match(await ledger.due({ beforeMs: 9e12, keepMax: 0 }), { sequence: 5 }, 'the newest stays');
    await t.rejects(ledger.prune({ sequence: 3, hash: 'f'.repeat(64) }), { code: 'CONFLICT' });
    await ledger.prune({ sequence: 3, hash: entries[2]?.hash ?? '' });
    t.match(await ledger.anchor(), { sequence: 3, hash: entries[2]?.hash });
    t.same(await ledger.read({ after: 0, limit: 10 }), entries.slice(3));
    const [next] = await ledger.append([draft(7)]);
    t.match(next, { sequence: 7, previous: entries[5]?.hash });
    await t.rejects(ledger.prune({ sequence: 2, hash: entries[1]?.hash ?? '' }), { code: 'CONFLICT' });
  });
}
