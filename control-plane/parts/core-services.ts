import type { ClientSites } from '../client-sites.ts';
import type { Access } from '../services/access/service.ts';
import type { Catalog } from '../services/catalog/service.ts';
import type { Certificates } from '../services/certificates/service.ts';
import type { Popularity } from '../services/events/popularity.ts';
import type { Fill } from '../services/fill/service.ts';
import type { MaintenanceCalendar } from '../services/registry/maintenance.ts';
import type { Registry } from '../services/registry/service.ts';
import type { Routes } from '../services/routes/service.ts';
import type { Status } from '../services/status/service.ts';
import type { SteeringMaps } from '../services/steering-map/service.ts';
import type { Withdrawals } from '../services/withdrawal/service.ts';

/** The services of the core, as they use one another. */
export interface CoreServices {
  access: Access;
  routes: Routes;
  registry: Registry;
  maintenance: MaintenanceCalendar;
  catalog: Catalog;
  fill: Fill;
  maps: SteeringMaps;
  popularity: Popularity;
  withdrawals: Withdrawals;
  certificates: Certificates;
  status: Status;
  /** Where viewers are. */
  clientSites: ClientSites;
}
