import type { SteeringView } from '../core/view.ts';
import type { ZoneContent } from './zone.ts';

const PORTS: Readonly<Record<string, number>> = { 'https:': 443 };

/** Before the first map. */
export const nothingKnown: ZoneContent = { serial: 0, nodes: [], challenges: [] };

/** What the zone says of a map's nodes; their order is that of the view's appliances. */
export function contentOf({ sequence, appliances, indexOf, challenges }: SteeringView): ZoneContent {
  const nodes = appliances.map(({ id, addresses, url }) => ({ id, addresses, httpsPort: httpsPortOf(url) }));
  return { serial: sequence, nodes, challenges: challenges.filter(({ node }) => indexOf.has(node)) };
}

function httpsPortOf(text: string): number | undefined {
  if (!URL.canParse(text)) return undefined;
  const { protocol, port } = new URL(text);
  const usual = PORTS[protocol];
  return usual === undefined || port === '' ? usual : Number(port);
}
