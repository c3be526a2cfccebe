import { Type, type Static } from '../../../common/contract/type.ts';
import { openCollection } from '../../../common/adapters/records/collection.ts';
import type { Records } from '../../../common/adapters/records/port.ts';
import type { RevocationRequest, Revocations } from '../../../common/contract/documents.ts';
import { TimeMs } from '../../../common/contract/primitives.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { coded } from '../../../common/runtime/errors.ts';
import { parseAs } from '../../../common/runtime/parse.ts';

const RevocationRecord = Type.Object({
  kind: Type.Union([Type.Literal('session'), Type.Literal('bundle')]),
  name: Type.String(),
  atMs: TimeMs,
});
type RevocationRecord = Static<typeof RevocationRecord>;

// No token lives longer than a day (ADR 3), so what is older revokes nothing.
const keptMs = 25 * 3_600_000;
const revocationsMax = 100_000;

/** What was revoked, kept as long as there can be a token that it refuses. */
export interface RevocationStore {
  add(request: RevocationRequest): Promise<void>;
  /** Takes the revocation of a bundle back: tokens that were made before it are good again. */
  lift(bundle: string): Promise<void>;
  /** What is in force now, in order. */
  current(): Promise<Revocations>;
  /** Whether this session or bundle is in force. */
  has(kind: 'session' | 'bundle', name: string): boolean;
}

/** Opens the revocations. */
export async function openRevocations(options: { records: Records; clock: Clock }): Promise<RevocationStore> {
  const { records, clock } = options;
  const collection = openCollection<RevocationRecord>(records, 'revocations', (value) =>
    parseAs(RevocationRecord, value, { what: 'the record of a revocation' }),
  );
  const known = new Map<string, RevocationRecord>();
  for await (const { key, value } of collection.all()) known.set(key, value);

  const prune = async (): Promise<void> => {
    const endedMs = clock.nowMs() - keptMs;
    for (const [key, { atMs }] of known) {
      if (atMs > endedMs) continue;
      await collection.remove(key);
      known.delete(key);
    }
  };
  const names = (kind: RevocationRecord['kind']): string[] =>
    [...known.values()]
      .filter((record) => record.kind === kind)
      .map(({ name }) => name)
      .sort();

  const keyOf = ({ kind, name }: Pick<RevocationRecord, 'kind' | 'name'>): string => `${kind}/${name}`;

  return {
    has: (kind, name) => known.has(keyOf({ kind, name })),
    async add({ sessions = [], bundles = [] }) {
      await prune();
      const atMs = clock.nowMs();
      const fresh: RevocationRecord[] = [
        ...sessions.map((name) => ({ kind: 'session', name, atMs }) as const),
        ...bundles.map((name) => ({ kind: 'bundle', name, atMs }) as const),
      ];
      if (known.size + fresh.length > revocationsMax) {
        throw coded(
          'RATE_LIMITED',
          `${String(revocationsMax)} revocations are in force; rotate the token keys instead`,
        );
      }
      await records.commit(fresh.map((record) => collection.putOperation(keyOf(record), record)));
      for (const record of fresh) known.set(keyOf(record), record);
    },
    async lift(bundle) {
      const key = keyOf({ kind: 'bundle', name: bundle });
      if (known.has(key)) await collection.remove(key);
      known.delete(key);
    },
    async current() {
      await prune();
      return { sessions: names('session'), bundles: names('bundle') };
    },
  };
}
