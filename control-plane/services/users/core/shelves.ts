import type { Rating } from '../../../../common/contract/viewing.ts';
import {
  ratingValues,
  type ViewingEntry,
  type ViewingRegister,
} from '../../../../common/core/viewing-state.ts';

const ratings = new Map<number, Rating>(
  Object.entries(ratingValues).map(([rating, value]) => [value, rating as Rating]),
);

const endedShare = 0.96;
const begunMs = 30_000;
const begunShare = 0.02;

/** How far somebody got in a title: one that has come to its credits is ended. */
export type Progress = 'hardly-begun' | 'begun' | 'ended';

/** Tells it by the position, in milliseconds. */
export function progressOf(positionMs: number, durationMs: number): Progress {
  if (positionMs < Math.min(begunMs, durationMs * begunShare)) return 'hardly-begun';
  return positionMs < durationMs * endedShare ? 'begun' : 'ended';
}

/** Where to go on: undefined for what was hardly begun or has come to its credits. Milliseconds. */
export function resumePosition(positionMs: number, durationMs: number): number | undefined {
  return progressOf(positionMs, durationMs) === 'begun' ? positionMs : undefined;
}

/** Registers by their titles. */
export function byTitle(registers: readonly ViewingRegister[]): Map<string, ViewingRegister> {
  return new Map(registers.map((register) => [register.titleId, register]));
}

/** Whether something of a title was to be forgotten after it was said. */
export function isForgotten(
  said: Pick<ViewingEntry | ViewingRegister, 'titleId' | 'stamp'>,
  forgotten: ReadonlyMap<string, ViewingRegister>,
): boolean {
  return said.stamp.atMs <= (forgotten.get(said.titleId)?.stamp.atMs ?? -1);
}

/** The titles of some viewings, each once, in their order. */
export function titlesOf(viewings: readonly ViewingEntry[]): string[] {
  return [...new Set(viewings.map(({ titleId }) => titleId))];
}

/** Registers, the latest first. */
export function latestFirst(registers: readonly ViewingRegister[]): ViewingRegister[] {
  return registers.toSorted(
    (one, other) => other.stamp.atMs - one.stamp.atMs || (one.titleId < other.titleId ? -1 : 1),
  );
}

/** The rating that a register holds. */
export function ratingOf({ value }: ViewingRegister): Rating {
  return ratings.get(value) ?? 'none';
}
