import type { NodeHealth } from './health.ts';

interface Told {
  readonly reasons: readonly string[];
}

/** What a box says of itself that keeps viewers away from it. */
const quarantineCodes = ['CLOCK_SKEW', 'STORE_UNAVAILABLE', 'STORE_CORRUPT', 'OVERLOADED'];
/** Only the control plane can tell: the box's own clock does not know. */
const toldCode = 'CLOCK_SKEW';

/** The reason of its own for which a box is kept out of answers, if there is one. */
export function quarantineReason({ reasons }: Told): string | undefined {
  return reasons.find((reason) => quarantineCodes.some((code) => reason.startsWith(code)));
}

/** The same of a box in the map; what it said since then on its stream is fresher. */
export function quarantineOf(appliance: Told, said: NodeHealth['said']): string | undefined {
  if (said === undefined) return quarantineReason(appliance);
  return said.unwell ?? appliance.reasons.find((reason) => reason.startsWith(toldCode));
}
