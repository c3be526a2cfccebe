import { NodeId, PlaceName, SizeBytes, TimeMs } from './primitives.ts';
import { Type, type Static } from './type.ts';

/** A partner's site may be left out where there is one. `days`: how many, today included, by UTC; 7 when absent. */
export const SavingsQuery = Type.Object(
  {
    site: Type.Optional(PlaceName),
    days: Type.Optional(Type.Integer({ minimum: 1, maximum: 366 })),
  },
  { additionalProperties: false },
);
export type SavingsQuery = Static<typeof SavingsQuery>;

const sums = {
  /** To viewers, whether they play or look at pictures. */
  playBytes: SizeBytes,
  /** Of `playBytes`, those of pictures; boxes of before did not tell them apart. Control planes of before do not say. */
  pictureBytes: Type.Optional(SizeBytes),
  /** To boxes that fill. */
  fillBytes: SizeBytes,
  /** What it took to fill. */
  filledBytes: SizeBytes,
  /** How many signed reports these are the sums of, and how many never came. */
  reports: Type.Integer({ minimum: 0 }),
  missingReports: Type.Integer({ minimum: 0 }),
};

/** What the boxes of a site have spared the network above them, added up from the reports that they signed. */
export const SavingsReport = Type.Object({
  site: PlaceName,
  sinceMs: TimeMs,
  untilMs: TimeMs,
  ...sums,
  /** Of the bytes to viewers, those that did not come in for them: 1 − filled ÷ played. Below 0 where more was filled than played; absent where nothing was played. */
  offload: Type.Optional(Type.Number({ maximum: 1 })),
  /** What no choice of files could have exceeded: each file has to come in once before the site's first viewer has it. */
  offloadMost: Type.Optional(Type.Number({ maximum: 1 })),
  /** The busiest hour of viewers and the busiest of fill, each by its mean. */
  peakPlayBytesPerSecond: Type.Number({ minimum: 0 }),
  peakFilledBytesPerSecond: Type.Number({ minimum: 0 }),
  /** How much lower the busiest hour of the network above is than without the boxes. */
  peakAvoidedBytesPerSecond: Type.Number(),
  /** What the boxes hold now. */
  heldBytes: SizeBytes,
  /** What comes in a day as a share of that; absent where nothing is held. */
  churnPerDay: Type.Optional(Type.Number({ minimum: 0 })),
  boxes: Type.Array(Type.Object({ id: NodeId, ...sums })),
});
export type SavingsReport = Static<typeof SavingsReport>;
