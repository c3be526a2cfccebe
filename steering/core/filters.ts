import type { FilterName } from '../../common/contract/steering.ts';
import type { NodeHealth } from './health.ts';
import { quarantineOf } from './quarantine.ts';
import type { ViewAppliance } from './view.ts';

/** The filters in their order. A filter's number is its place here and one; 0 stands for none. */
export const filters: readonly FilterName[] = [
  'no-route',
  'address-family',
  'not-held',
  'draining',
  'stale',
  'unhealthy',
  'no-headroom',
];

/** The number of a filter. */
export function filterNumber(name: FilterName | null): number {
  return name === null ? 0 : filters.indexOf(name) + 1;
}

/** The first filter that an appliance fails whoever asks. A full origin is still the last way. */
export function conditionOf(
  appliance: ViewAppliance,
  health: NodeHealth | undefined,
  headroomMin: number,
): FilterName | null {
  const { verdict, said } = health ?? {};
  if (appliance.state === 'draining' || verdict === 'draining') return 'draining';
  // Lost to the control plane but well in our own eyes: it serves on (ADR 6), so it is steered to.
  if (appliance.state === 'lost' && verdict !== 'up') return 'stale';
  if (verdict === 'down' || quarantineOf(appliance, said) !== undefined) return 'unhealthy';
  return appliance.role !== 'origin' && headroomOf(appliance, health) < headroomMin ? 'no-headroom' : null;
}

/** The share of its capacity that is free, as it said last: on its stream, or by the map. */
export function headroomOf(
  appliance: Pick<ViewAppliance, 'headroom'>,
  health: NodeHealth | undefined,
): number {
  return health?.said?.headroom ?? appliance.headroom;
}
