import type { DocumentPayload, Place, SteeringMap } from '../../common/contract/documents.ts';
import type { BelievedHealth, HistoryRecord } from './history-records.ts';
import { rankPolicyDefault, rankStateOf, type HealthById, type RankPolicy } from './rank.ts';
import type { RankState } from './rank-query.ts';
import type { SteeringView } from './view.ts';

/** What was in force on a steering node at one moment, made up of its records one after the other. */
export class Moment {
  payload: DocumentPayload<SteeringMap> | undefined;
  policy: RankPolicy = rankPolicyDefault;
  placeUnknown: Place | undefined;
  /** Changes with each record that changes what an answer depends on. */
  version = 0;
  readonly #health = new Map<string, BelievedHealth>();
  #kept: Readonly<Record<string, number>> = {};

  /** Takes a record of the state; decisions and tables are no part of it. */
  take(record: HistoryRecord): void {
    switch (record.kind) {
      case 'policy':
        this.policy = { order: record.order, headroomMin: record.headroomMin, waysMax: record.waysMax };
        this.placeUnknown = record.placeUnknown;
        break;
      case 'map':
        this.payload = record.payload;
        break;
      case 'health':
        for (const [id, health] of Object.entries(record.nodes)) {
          if (health === null) this.#health.delete(id);
          else this.#health.set(id, health);
        }
        break;
      case 'kept':
        this.#kept = record.shares;
        break;
      case 'lost':
        // What follows begins with all that is in force then.
        this.#health.clear();
        this.#kept = {};
        break;
      default:
        return;
    }
    this.version++;
  }

  /** What was believed of each node. */
  health(): HealthById {
    const believed = [...this.#health].map(
      ([id, { said, downFamilies, ...health }]) =>
        [
          id,
          {
            ...health,
            ...(downFamilies !== undefined && { downFamilies }),
            ...(said !== undefined && { said: { headroom: said.headroom, unwell: said.unwell } }),
          },
        ] as const,
    );
    return new Map(believed);
  }

  /** The same as ranking reads it, over a view. */
  state(view: SteeringView, headroomMin: number): RankState {
    const state = rankStateOf(view, this.health(), headroomMin);
    for (const [index, { id }] of view.appliances.entries()) {
      const share = this.#kept[id];
      if (share !== undefined) state.kept[index] = share / 255;
    }
    return state;
  }
}
