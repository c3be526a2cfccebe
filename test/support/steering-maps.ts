import type {
  DocumentPayload,
  Route,
  SteeringAppliance,
  SteeringMap,
} from '../../common/contract/documents.ts';
import { parseAddress, type Address } from '../../common/core/ip-address.ts';
import { compileView, type SteeringView } from '../../steering/core/view.ts';

/** A bundle's name made of one repeated digit. */
export const bundleOf = (digit: string): string => digit.repeat(64);

export const route = (prefix: string, more: Partial<Route> = {}): Route => ({
  prefix,
  asPathLength: 1,
  class: 'embedded',
  ...more,
});

/** An appliance that is well and reaches 10.0.0.0/8; `more` says what is different. */
export function appliance(id: string, more: Partial<SteeringAppliance> = {}): SteeringAppliance {
  return {
    id,
    role: 'appliance',
    site: 'site-a',
    cluster: 'cluster-a',
    url: `http://${id}.test:8080`,
    addresses: [],
    weight: 1,
    headroom: 1,
    state: 'ready',
    reasons: [],
    routes: [route('10.0.0.0/8')],
    ...more,
  };
}

export const origin = (id = 'origin', more: Partial<SteeringAppliance> = {}): SteeringAppliance =>
  appliance(id, { role: 'origin', site: 'origin-site', cluster: 'origin', routes: [], ...more });

/** A map in which everybody holds bundle 0, and nobody any other. */
export function mapOf(appliances: SteeringAppliance[], more: Partial<SteeringMap> = {}): SteeringMap {
  return {
    appliances,
    bundles: [
      { bundle: bundleOf('0'), title: 'A title', titleId: 'ttl_00000001', holders: [...appliances.keys()] },
      { bundle: bundleOf('1'), title: 'Nobody has it', titleId: 'ttl_00000002', holders: [] },
    ],
    revocations: { sessions: [], bundles: [] },
    ...more,
  };
}

export function payloadOf(body: SteeringMap, sequence = 1): DocumentPayload<SteeringMap> {
  return { version: 1, audience: 'steering', sequence, issuedAtMs: 1_000, notAfterMs: 9e12, body };
}

export const viewOf = (body: SteeringMap): SteeringView => compileView(payloadOf(body));

export function address(text: string): Address {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new TypeError(`${text} is not an address`);
  return parsed;
}
