import type { HealthEvent } from '../../common/contract/health.ts';
import type { MaintenanceWindow } from '../../common/contract/maintenance.ts';
import { maintenanceOf } from '../../common/core/maintenance.ts';
import type { NodeHealth } from '../core/health.ts';
import { isSame, nameOf, nodeHealth } from '../core/node-health.ts';
import type { BoxEvidence } from '../core/own-view.ts';
import type { Merged } from '../core/quorum.ts';

/** A box turned. */
export interface HealthChange {
  readonly id: string;
  readonly before: NodeHealth | undefined;
  readonly after: NodeHealth;
}

/** Who is on the board, and what is planned for them. */
export interface Watched {
  readonly boxes: readonly { readonly id: string; readonly site: string }[];
  readonly maintenance: readonly MaintenanceWindow[];
}

const historyMax = 64;

/** What is believed of each box, and how that came about. */
export class HealthBoard {
  readonly #onChange: (change: HealthChange) => void;
  #health: ReadonlyMap<string, NodeHealth> = new Map();
  #history = new Map<string, HealthEvent[]>();

  constructor(onChange: (change: HealthChange) => void) {
    this.#onChange = onChange;
  }

  health(): ReadonlyMap<string, NodeHealth> {
    return this.#health;
  }

  /** The latest changes of a box, oldest first. */
  history(id: string): readonly HealthEvent[] {
    return this.#history.get(id) ?? [];
  }

  /** Takes what the views say now. Boxes that are watched no longer are forgotten. */
  update(
    { boxes, maintenance }: Watched,
    seen: { merged: Merged; evidence: ReadonlyMap<string, BoxEvidence>; nowMs: number },
  ): void {
    const { merged, evidence, nowMs } = seen;
    const before = this.#health;
    const changes: HealthChange[] = [];
    this.#health = new Map(
      boxes.map((box) => {
        const after = nodeHealth({
          merged: merged.nodes.get(box.id),
          maintenance: maintenanceOf(maintenance, box, nowMs),
          before: before.get(box.id),
          ...lastProbeOf(evidence.get(box.id)),
          nowMs,
        });
        const was = before.get(box.id);
        if (was === undefined || !isSame(was, after)) changes.push({ id: box.id, before: was, after });
        return [box.id, after];
      }),
    );
    for (const id of [...this.#history.keys()]) if (!this.#health.has(id)) this.#history.delete(id);
    for (const change of changes) this.#note(change, nowMs);
  }

  #note(change: HealthChange, nowMs: number): void {
    const { id, before, after } = change;
    // That it is watched from now on is no change of it.
    if (before === undefined && after.verdict === 'unknown') return;
    const event = {
      atMs: Math.round(nowMs),
      from: before === undefined ? 'unknown' : nameOf(before),
      to: nameOf(after),
      reason: after.reason.slice(0, 500),
    };
    this.#history.set(id, [...(this.#history.get(id) ?? []), event].slice(-historyMax));
    this.#onChange(change);
  }
}

function lastProbeOf(evidence: BoxEvidence | undefined): {
  lastProbeMs: number | undefined;
  probeMs: number | undefined;
} {
  let lastProbeMs: number | undefined;
  let probeMs: number | undefined;
  for (const state of evidence?.probes.values() ?? []) {
    if ((state.lastProbeMs ?? 0) > (lastProbeMs ?? 0)) lastProbeMs = state.lastProbeMs;
    if (state.probeMs !== undefined) probeMs = Math.max(probeMs ?? 0, state.probeMs);
  }
  return { lastProbeMs, probeMs };
}
