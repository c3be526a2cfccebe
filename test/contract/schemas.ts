import type { TSchema } from '../../common/contract/type.ts';
import { ArtworkBundle } from '../../common/contract/artwork.ts';
import { Bundle } from '../../common/contract/bundle.ts';
import * as credentials from '../../common/contract/credentials.ts';
import * as documents from '../../common/contract/documents.ts';
import * as fill from '../../common/contract/fill.ts';
import * as fillSites from '../../common/contract/fill-sites.ts';
import * as health from '../../common/contract/health.ts';
import * as maintenance from '../../common/contract/maintenance.ts';
import * as manifestDiff from '../../common/contract/manifest-diff.ts';
import * as nodes from '../../common/contract/nodes.ts';
import * as playback from '../../common/contract/playback.ts';
import * as routes from '../../common/contract/routes.ts';
import * as served from '../../common/contract/served.ts';
import { Problem } from '../../common/contract/problem.ts';
import * as status from '../../common/contract/status.ts';
import * as steering from '../../common/contract/steering.ts';
import * as titles from '../../common/contract/titles.ts';
import * as withdrawals from '../../common/contract/withdrawals.ts';

const groups: Record<string, unknown>[] = [
  credentials,
  documents,
  fill,
  fillSites,
  health,
  maintenance,
  manifestDiff,
  nodes,
  playback,
  routes,
  served,
  status,
  steering,
  titles,
  withdrawals,
];

// Parts of other schemas: they cross the wire inside those, whose goldens hold them.
const parts = new Set([
  ...[
    'AccessRole',
    'EnrolmentCode',
    'KeyUse',
    'RouteClass',
    'Route',
    'RouteTableRef',
    'Place',
    'SteeringAppliance',
  ],
  ...[
    'FillKind',
    'FillPurpose',
    'FillOutcome',
    'FillItem',
    'PlayerEvent',
    'EventRefusal',
    'Pathway',
    'FilterName',
    'TitleState',
    'TitleQuery',
    'TitleListQuery',
    'EncodeCraft',
    'CaptionFile',
    'CaptionFiles',
  ],
  ...[
    'ServedSummary',
    'LaunchForecast',
    'FillWindow',
    'FillSiteView',
    'FillLink',
    'FillHit',
    'WithdrawnFiles',
    'FamilyVote',
    'PlaybackCapabilities',
    'HealthEvent',
    'HealthVote',
    'MaintenanceWindow',
    'PeerStatus',
    'Sight',
    'SteeringNodes',
    'SteeringPeer',
    'RouteRefusal',
    'RefusedRoutes',
    'AllowedPrefix',
    'RouteSiteView',
    'RoutesQuery',
    'RouteSummary',
    'RouteRow',
    'RouteFault',
    'RouteFinding',
  ],
]);

/** Every schema that crosses the wire as a whole: bodies, replies, claims and bodies of signed documents. */
export function wireSchemas(): Map<string, TSchema> {
  const found = new Map<string, TSchema>([
    ['ArtworkBundle', ArtworkBundle],
    ['Bundle', Bundle],
    ['Problem', Problem],
  ]);
  for (const [name, value] of groups.flatMap((group) => Object.entries(group))) {
    if (!parts.has(name) && isSchema(value)) found.set(name, value);
  }
  return found;
}

// Schemas are named like types; what else the modules export is not.
function isSchema(value: unknown): value is TSchema {
  return (
    typeof value === 'object' && value !== null && ('type' in value || 'anyOf' in value || '~kind' in value)
  );
}
