import type { HealthEvent } from '../../common/contract/health.ts';
import type { MaintenanceWindow } from '../../common/contract/maintenance.ts';
import { maintenanceOf } from '../../common/core/maintenance.ts';
import type { NodeHealth } from '../core/health.ts';
import { isSame, isToldAlike, nameOf, nodeHealth } from '../core/node-health.ts';
import type { Merged, MergedNode } from '../core/quorum.ts';

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

/** What was believed of a box last, and of what. */
interface Line {
  readonly merged: MergedNode | undefined;
  readonly maintenance: MaintenanceWindow | undefined;
  readonly health: NodeHealth;
}

/** What is believed of each box, and how that came about. */
export class HealthBoard {
  readonly #onChange: (change: HealthChange) => void;
  #boxes: Watched['boxes'] = [];
  readonly #lines = new Map<string, Line>();
  #health: ReadonlyMap<string, NodeHealth> = new Map();
  readonly #history = new Map<string, HealthEvent[]>();

  constructor(onChange: (change: HealthChange) => void) {
    this.#onChange = onChange;
  }

  /** Another map only where something else is believed of some box; of the others it has the same objects. */
  health(): ReadonlyMap<string, NodeHealth> {
    return this.#health;
  }

  /** The latest changes of a box, oldest first. */
  history(id: string): readonly HealthEvent[] {
    return this.#history.get(id) ?? [];
  }

  /** Takes what the views say now. Boxes that are watched no longer are forgotten; one of which they say the same as before stays as it is. */
  update({ boxes, maintenance }: Watched, { merged, nowMs }: { merged: Merged; nowMs: number }): void {
    const changes: HealthChange[] = [];
    let isOther = false;
    for (const box of boxes) {
      const node = merged.nodes.get(box.id);
      const window = maintenanceOf(maintenance, box, nowMs);
      const line = this.#lines.get(box.id);
      if (line !== undefined && line.merged === node && line.maintenance === window) continue;
      const before = line?.health;
      const made = nodeHealth({ merged: node, maintenance: window, before, nowMs });
      const health = before !== undefined && isToldAlike(before, made) ? before : made;
      this.#lines.set(box.id, { merged: node, maintenance: window, health });
      isOther ||= health !== before;
      if (before === undefined || !isSame(before, health))
        changes.push({ id: box.id, before, after: health });
    }
    if (boxes !== this.#boxes) this.#watch(boxes);
    else if (isOther) this.#health = this.#healthOf(boxes);
    for (const change of changes) this.#note(change, nowMs);
  }

  #watch(boxes: Watched['boxes']): void {
    this.#boxes = boxes;
    this.#health = this.#healthOf(boxes);
    for (const id of [...this.#lines.keys()]) {
      if (this.#health.has(id)) continue;
      this.#lines.delete(id);
      this.#history.delete(id);
    }
  }

  #healthOf(boxes: Watched['boxes']): ReadonlyMap<string, NodeHealth> {
    const believed = new Map<string, NodeHealth>();
    for (const { id } of boxes) {
      const line = this.#lines.get(id);
      if (line !== undefined) believed.set(id, line.health);
    }
    return believed;
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
