import type { Clock } from '../common/runtime/clock.ts';
import { headroomOf } from './core/filters.ts';
import { LoadState, loadPolicyOf } from './core/load.ts';
import { rankStateOf, type HealthById, type RankPolicy } from './core/rank.ts';
import { Ranker } from './core/ranker.ts';
import type { RankState } from './core/rank-query.ts';
import type { SteeringView } from './core/view.ts';

/** A view with what is believed of its boxes now: all that a ranking needs. */
export interface Outlook {
  readonly view: SteeringView;
  readonly ranker: Ranker;
  readonly state: RankState;
  /** Counts a viewer who was sent to an appliance. */
  decide(appliance: number): void;
}

export interface OutlookOptions {
  readonly view: () => SteeringView | undefined;
  readonly health: () => HealthById;
  readonly policy: RankPolicy;
  readonly clock: Pick<Clock, 'monotonicMs'>;
}

/** What is believed of a box is read anew so often at most; a thousand boxes take a fraction of a millisecond. */
const FRESH_MS = 50;

interface Held extends Outlook {
  readonly state: { -readonly [key in keyof RankState]: RankState[key] };
  readonly load: LoadState;
  readAtMs: number;
}

/** Keeps the outlook on the view in force; undefined until the first map. */
export function createOutlooks(options: OutlookOptions): () => Outlook | undefined {
  const { policy, clock } = options;
  const loadPolicy = loadPolicyOf(policy.headroomMin);
  let held: Held | undefined;

  const open = (view: SteeringView, nowMs: number): Held => {
    // Each steering node decides for its share of the viewers.
    const nodes = Math.max(1, view.steering.length);
    const load = new LoadState(view, { policy: loadPolicy, nodes, nowMs });
    const before = held;
    if (before !== undefined)
      load.carry(before.load, (index) => before.view.indexOf.get(view.appliances[index]?.id ?? ''));
    return {
      view,
      ranker: new Ranker(view, policy),
      state: { ...rankStateOf(view, options.health(), policy.headroomMin), kept: load.kept },
      load,
      decide: (appliance) => {
        load.decide(appliance);
      },
      readAtMs: -Infinity,
    };
  };
  const read = (outlook: Held, nowMs: number): void => {
    const { conditions, downFamilies } = rankStateOf(outlook.view, options.health(), policy.headroomMin);
    outlook.state.conditions = conditions;
    outlook.state.downFamilies = downFamilies;
    outlook.load.report((index) => {
      const appliance = outlook.view.appliances[index];
      return appliance === undefined ? 0 : headroomOf(appliance, options.health().get(appliance.id));
    }, nowMs);
    outlook.readAtMs = nowMs;
  };

  return () => {
    const view = options.view();
    if (view === undefined) return undefined;
    const nowMs = clock.monotonicMs();
    if (held?.view !== view) held = open(view, nowMs);
    if (nowMs - held.readAtMs >= FRESH_MS) read(held, nowMs);
    return held;
  };
}
