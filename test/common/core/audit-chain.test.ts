import fc from 'fast-check';
import t from 'tap';
import type { AuditDraft, AuditEntry } from '../../../common/contract/audit.ts';
import {
  auditBeginning,
  auditText,
  AuditWalk,
  formatMark,
  parseMark,
  pruneAction,
  sealEntry,
  type AuditFault,
} from '../../../common/core/audit-chain.ts';

const draftOf = (at: number): AuditDraft => ({
  ...{ atMs: at, account: 'usr_aaaaaaaa', role: 'admin', action: `act ${String(at)}`, outcome: 'done' },
});

function chain(length: number, drafts = draftOf): AuditEntry[] {
  const entries: AuditEntry[] = [];
  for (let at = 0; at < length; at++)
    entries.push(sealEntry(drafts(at), entries.at(-1) ?? auditBeginning).entry);
  return entries;
}

function walkAlong(
  entries: readonly AuditEntry[],
  walk = new AuditWalk(auditBeginning),
): AuditFault | undefined {
  for (const entry of entries) {
    const fault = walk.step(entry);
    if (fault !== undefined) return fault;
  }
  return walk.end();
}

t.test('whatever is changed, left out, put in or moved is found at its place', async (t) => {
  const whole = chain(12);
  t.equal(walkAlong(whole), undefined);
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 11 }),
      fc.constantFrom('account', 'action', 'atMs', 'code'),
      (at, field) => {
        const forged = whole.map((entry, index) =>
          index === at ? { ...entry, [field]: field === 'atMs' ? entry.atMs + 1 : 'another' } : entry,
        );
        const fault = walkAlong(forged);
        return fault?.sequence === at + 1 && fault.what.includes('changed');
      },
    ),
  );
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 10 }), (at) => {
      const without = whole.filter((_, index) => index !== at);
      const swapped = [...whole.slice(0, at), whole[at + 1]!, whole[at]!, ...whole.slice(at + 2)];
      const twice = [...whole.slice(0, at + 1), ...whole.slice(at)];
      return (
        walkAlong(without)?.sequence === at + 1 &&
        walkAlong(swapped)?.sequence === at + 1 &&
        walkAlong(twice)?.sequence === at + 2
      );
    }),
  );
  // One that is sealed anew has a good hash, and another than the next one names.
  const resealed = sealEntry({ ...draftOf(4), account: 'usr_bbbbbbbb' }, whole[3]!).entry;
  t.match(walkAlong([...whole.slice(0, 4), resealed, ...whole.slice(5)]), { sequence: 6, what: /follow/ });
});

t.test(
  'an end that was cut off, and a chain that was written anew, are found by a mark from elsewhere',
  async (t) => {
    const whole = chain(8);
    const noted = parseMark(formatMark(whole[6]!));
    t.equal(walkAlong(whole, new AuditWalk(auditBeginning, noted)), undefined);
    t.match(walkAlong(whole.slice(0, 6), new AuditWalk(auditBeginning, noted)), {
      sequence: 7,
      what: /went to 7/,
    });
    const anew = chain(8, (at) => ({ ...draftOf(at), account: 'usr_bbbbbbbb' }));
    t.equal(walkAlong(anew), undefined);
    t.match(walkAlong(anew, new AuditWalk(auditBeginning, noted)), { sequence: 7, what: /anew/ });
    for (const text of ['', '7', '7:abc', `x:${'0'.repeat(64)}`, `-1:${'0'.repeat(64)}`])
      t.equal(parseMark(text), undefined, text);
  },
);

t.test('a chain begins where an entry says that retention ended, and nowhere else', async (t) => {
  const first = chain(4);
  const anchor = first[2]!;
  const pruned = (object: string) =>
    sealEntry({ ...draftOf(9), action: pruneAction, object }, first[3]!).entry;
  const said = [first[3]!, pruned(formatMark(anchor))];
  t.equal(walkAlong(said, new AuditWalk(anchor)), undefined);
  t.equal(
    walkAlong([...first.slice(2), said[1]!], new AuditWalk(first[1]!)),
    undefined,
    'said, and not yet done',
  );
  t.match(walkAlong([first[3]!], new AuditWalk(anchor)), { sequence: 1, what: /no entry says/ });
  const less = [first[3]!, pruned(formatMark(first[1]!))];
  t.match(walkAlong(less, new AuditWalk(anchor)), { sequence: 3 });
});

t.test('an entry is the same text in whatever order its fields come', async (t) => {
  const [entry] = chain(1);
  const turned = Object.fromEntries(Object.entries(entry!).reverse()) as AuditEntry;
  t.equal(auditText(turned), auditText(entry!));
  t.equal(
    auditText(entry!),
    `{"account":"usr_aaaaaaaa","action":"act 0","atMs":0,"outcome":"done","previous":"${'0'.repeat(64)}","role":"admin","sequence":1}`,
  );
});
