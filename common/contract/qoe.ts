import { Fraction, SizeBytes, TimeMs } from './primitives.ts';
import { Type, type Static } from './type.ts';

/** By what playbacks are told apart. */
export const QoeDimension = Type.Union([
  Type.Literal('site'),
  Type.Literal('appliance'),
  Type.Literal('device'),
  Type.Literal('title'),
]);
export type QoeDimension = Static<typeof QoeDimension>;

/** `days`: how many, today included, by UTC; 7 when absent. */
export const QoeQuery = Type.Object(
  { by: Type.Optional(QoeDimension), days: Type.Optional(Type.Integer({ minimum: 1, maximum: 90 })) },
  { additionalProperties: false },
);
export type QoeQuery = Static<typeof QoeQuery>;

/** How playing went for the viewers of one site, appliance, kind of device or title. */
export const QoeRow = Type.Object({
  name: Type.String(),
  /** Playbacks that came to a first picture. */
  plays: Type.Integer({ minimum: 0 }),
  /** Playbacks that ended with an error. */
  failures: Type.Integer({ minimum: 0 }),
  playedMs: SizeBytes,
  stalls: Type.Integer({ minimum: 0 }),
  stallMs: SizeBytes,
  /** Of the time that viewers wanted to watch, what they waited for: stalls ÷ (stalls + played); absent where nothing was played. */
  rebufferRatio: Type.Optional(Fraction),
  /** From the wish to the first picture, of half and of 95 % of those playbacks that told it; to a fifth. */
  startMsP50: Type.Optional(Type.Number({ minimum: 0 })),
  startMsP95: Type.Optional(Type.Number({ minimum: 0 })),
  /** The mean over the time played. */
  bitrateBps: Type.Optional(Type.Number({ minimum: 0 })),
});
export type QoeRow = Static<typeof QoeRow>;

export const QoeReport = Type.Object({
  by: QoeDimension,
  sinceMs: TimeMs,
  untilMs: TimeMs,
  /** Most played first. */
  rows: Type.Array(QoeRow, { maxItems: 1000 }),
  /** How many rows more there are. */
  left: Type.Integer({ minimum: 0 }),
});
export type QoeReport = Static<typeof QoeReport>;
