import { openCollection } from '../../../common/adapters/records/collection.ts';
import type { QoeDimension, QoeReport } from '../../../common/contract/qoe.ts';
import { Type } from '../../../common/contract/type.ts';
import { parseAs } from '../../../common/runtime/parse.ts';
import { addQoe, noQoe, qoeOf, qoePlaces, qoeRow, startSteps, type QoeSums } from './core/qoe.ts';
import { DailyConsumer, type DailyScope } from './daily-consumer.ts';
import type { ConsumerDependencies } from '../log-follower.ts';

const Count = Type.Number({ minimum: 0 });
const QoeRecord = Type.Object({
  ...{ plays: Count, failures: Count, playedMs: Count, stalls: Count, stallMs: Count },
  starts: Type.Array(Count, { minItems: startSteps, maxItems: startSteps }),
  ...{ playedBits: Count, bitrateMs: Count },
});

export interface QoeDependencies extends ConsumerDependencies {
  /** Those of these nodes that are enrolled: a player's word alone makes no row. */
  readonly nodes: (ids: Iterable<string>) => Promise<ReadonlyMap<string, object>>;
}

/** What people call rows, by their keys. */
export type NamesOf = (keys: readonly string[]) => Promise<ReadonlyMap<string, string>>;

export type QoeScope = DailyScope<QoeDimension>;

const rowsMax = 1000;

/**
 * Adds up how playing went from what players told, by site, appliance, kind of device and title. Only events of a session count, since
 * its token proves that it is one.
 */
export class QoeConsumer extends DailyConsumer<'player', QoeSums> {
  constructor(deps: QoeDependencies) {
    super(deps, {
      ...{ consumer: 'qoe', what: 'it is added up how playing went', type: 'player' },
      sums: openCollection<QoeSums>(deps.records, 'qoe-sums', (value) =>
        parseAs(QoeRecord, value, { what: 'how playing went', code: 'STORE_CORRUPT' }),
      ),
      ...{ none: noQoe, add: addQoe },
      async placing(events) {
        const nodes = await deps.nodes(events.flatMap(({ pathway }) => pathway ?? []));
        const isNode = (id: string): boolean => nodes.has(id);
        return (data) => {
          const sums = data.session === undefined ? undefined : qoeOf(data);
          return sums === undefined
            ? []
            : qoePlaces(data, { isNode }).map(([by, name]) => ({ by, name, sums }));
        };
      },
    });
  }

  /** How playing went in the last days, today included. `namesOf`: what people call rows, by their keys; those that it does not name keep them. */
  async report({ by, days }: QoeScope, namesOf: NamesOf): Promise<QoeReport> {
    const { sinceMs, untilMs, byName } = await this.sums.of(by, days);
    const most = [...byName].sort(([, a], [, b]) => b.plays - a.plays).slice(0, rowsMax);
    const names = await namesOf(most.map(([key]) => key));
    const rows = most
      .map(([key, one]) => qoeRow(names.get(key) ?? key, one))
      .sort((a, b) => b.plays - a.plays || (a.name < b.name ? -1 : 1));
    return { ...{ by, sinceMs, untilMs }, rows, left: Math.max(0, byName.size - rowsMax) };
  }
}
