import type { MaintenanceWindow } from '../contract/maintenance.ts';

/** Whom a window may be for. */
export interface MaintainedNode {
  readonly id: string;
  readonly site: string;
}

/**
 * The window for which a node is led out of service now: from `drainMs` before the start until the end. Of several the
 * one that ends last, so that what is shown stays true the longest.
 */
export function maintenanceOf(
  windows: readonly MaintenanceWindow[],
  node: MaintainedNode,
  nowMs: number,
): MaintenanceWindow | undefined {
  let found: MaintenanceWindow | undefined;
  for (const window of windows) {
    if (window.appliance !== node.id && window.site !== node.site) continue;
    if (nowMs < window.startMs - window.drainMs || nowMs >= window.endMs) continue;
    if (found === undefined || window.endMs > found.endMs) found = window;
  }
  return found;
}

/** When the next window begins to drain, or ends; undefined where nothing is to come. */
export function nextMaintenanceMs(windows: readonly MaintenanceWindow[], nowMs: number): number | undefined {
  let next: number | undefined;
  for (const { startMs, drainMs, endMs } of windows) {
    for (const atMs of [startMs - drainMs, endMs]) {
      if (atMs > nowMs && (next === undefined || atMs < next)) next = atMs;
    }
  }
  return next;
}

/** A window in words. */
export function describeMaintenance({ startMs, endMs, reason }: MaintenanceWindow): string {
  const [from, until] = [startMs, endMs].map((ms) => new Date(ms).toISOString().replace('.000Z', 'Z'));
  return `planned maintenance from ${from ?? ''} until ${until ?? ''}: ${reason}`;
}
