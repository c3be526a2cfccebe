import { openCollection } from '../../../common/adapters/records/collection.ts';
import type { Records } from '../../../common/adapters/records/port.ts';
import {
  maintenanceMax,
  MaintenanceWindow,
  type MaintenanceRequest,
} from '../../../common/contract/maintenance.ts';
import { isTimeZone } from '../../../common/core/fill-window.ts';
import { maintenanceOf, nextMaintenanceMs, type MaintainedNode } from '../../../common/core/maintenance.ts';
import type { Chance } from '../../../common/runtime/chance.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { coded } from '../../../common/runtime/errors.ts';
import { parseAs } from '../../../common/runtime/parse.ts';
import { newObjectId } from '../../core/object-id.ts';
import { createListeners } from '../listeners.ts';
import { createTurns } from '../turns.ts';
import type { NodeIdentities } from './ports.ts';

/** Past windows are shown for so long. */
const keptMs = 30 * 86_400_000;
const lengthMsMax = 90 * 86_400_000;
const lookMs = 60_000;

export interface MaintenanceOptions {
  readonly records: Records;
  readonly identities: Pick<NodeIdentities, 'get' | 'list'>;
  readonly clock: Clock;
  readonly chance: Chance;
}

/** The calendar of planned maintenance. */
export interface MaintenanceCalendar {
  /** Every window that is kept, the past ones of a month too, by their start. */
  list(): MaintenanceWindow[];
  /** Those that are not over: what steering is told. */
  current(): MaintenanceWindow[];
  /** The window that leads this node out of service now. */
  of(node: MaintainedNode): MaintenanceWindow | undefined;
  /** Errors: INVALID, NODE_UNKNOWN, RATE_LIMITED where there are too many. */
  add(request: MaintenanceRequest): Promise<MaintenanceWindow>;
  /** Errors: MAINTENANCE_UNKNOWN. */
  remove(id: string): Promise<void>;
  /** Called when a window was added or removed, begins to drain or ends. */
  onChange(listener: () => void): () => void;
  /** Tells of windows that begin and end, until the signal is aborted. */
  watch(signal: AbortSignal): Promise<void>;
}

/** Opens the calendar. */
export async function openMaintenance(options: MaintenanceOptions): Promise<MaintenanceCalendar> {
  const { records, clock, chance } = options;
  const collection = openCollection<MaintenanceWindow>(records, 'maintenance', (value) =>
    parseAs(MaintenanceWindow, value, { what: 'the record of a maintenance' }),
  );
  const listeners = createListeners<undefined>();
  const inTurn = createTurns();
  const known = new Map<string, MaintenanceWindow>();
  for await (const { key, value } of collection.all()) known.set(key, value);
  let wake: (() => void) | undefined;

  const changed = (): void => {
    wake?.();
    listeners.tell(undefined);
  };
  const list = (): MaintenanceWindow[] =>
    [...known.values()].sort((a, b) => a.startMs - b.startMs || (a.id < b.id ? -1 : 1));
  const current = (): MaintenanceWindow[] => list().filter(({ endMs }) => endMs > clock.nowMs());
  const prune = async (): Promise<void> => {
    const oldestMs = clock.nowMs() - keptMs;
    for (const { id, endMs } of list()) {
      if (endMs > oldestMs) continue;
      await collection.remove(id);
      known.delete(id);
    }
  };

  return {
    list,
    current,
    of: (node) => maintenanceOf([...known.values()], node, clock.nowMs()),
    onChange: (listener) => listeners.add(listener),
    add: (request) =>
      inTurn(async () => {
        checkRequest(request, options);
        await prune();
        if (known.size >= maintenanceMax)
          throw coded('RATE_LIMITED', `${String(maintenanceMax)} windows are planned; remove some first`);
        const window = { id: newObjectId('mnt', chance), drainMs: 900_000, ...request };
        await collection.put(window.id, window, 0);
        known.set(window.id, window);
        changed();
        return window;
      }),
    remove: (id) =>
      inTurn(async () => {
        if (!known.has(id)) throw coded('MAINTENANCE_UNKNOWN', id);
        await collection.remove(id);
        known.delete(id);
        changed();
      }),
    async watch(signal) {
      const isOver = (): boolean => signal.aborted;
      while (!isOver()) {
        const nowMs = clock.nowMs();
        const nextMs = nextMaintenanceMs(current(), nowMs);
        // No longer than this, since wall time may jump.
        const waitMs = nextMs === undefined ? lookMs : Math.min(lookMs, nextMs - nowMs);
        const sleeping = new AbortController();
        wake = () => {
          sleeping.abort();
        };
        signal.addEventListener('abort', wake, { once: true });
        await clock.sleep(waitMs, { signal: sleeping.signal }).catch(() => undefined);
        signal.removeEventListener('abort', wake);
        if (nextMs !== undefined && clock.nowMs() >= nextMs) listeners.tell(undefined);
      }
    },
  };
}

function checkRequest(request: MaintenanceRequest, { identities, clock }: MaintenanceOptions): void {
  const { appliance, site, startMs, endMs, timeZone } = request;
  if ((appliance === undefined) === (site === undefined))
    throw coded('INVALID', 'a maintenance is of an appliance or of a site: name one of the two');
  if (endMs <= startMs) throw coded('INVALID', 'it ends before it begins');
  if (endMs <= clock.nowMs()) throw coded('INVALID', 'it is over already');
  if (endMs - startMs > lengthMsMax)
    throw coded('INVALID', 'it is longer than 90 days: drain or revoke what is gone');
  if (timeZone !== undefined && !isTimeZone(timeZone)) throw coded('INVALID', `${timeZone} is no time zone`);
  const isBox = ({ role, revokedAtMs }: { role: string; revokedAtMs?: number | undefined }): boolean =>
    revokedAtMs === undefined && (role === 'appliance' || role === 'origin');
  const identity = appliance === undefined ? undefined : identities.get(appliance);
  if (appliance !== undefined && (identity === undefined || !isBox(identity)))
    throw coded('NODE_UNKNOWN', `${appliance}; \`nearcast appliance list\` shows the names`);
  if (site !== undefined && !identities.list().some((one) => one.site === site && isBox(one)))
    throw coded(
      'INVALID',
      `no appliance stands at a site ${site}; \`nearcast appliance list\` shows the sites`,
    );
}
