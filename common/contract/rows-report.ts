import { TimeMs } from './primitives.ts';
import { Type, type Static } from './type.ts';

/** By what rows are told apart: what they are of, the place in them, the model that had a say. */
export const RowsDimension = Type.Union([Type.Literal('row'), Type.Literal('place'), Type.Literal('model')]);
export type RowsDimension = Static<typeof RowsDimension>;

/** `days`: how many, today included, by UTC; 7 when absent. */
export const RowsReportQuery = Type.Object(
  { by: Type.Optional(RowsDimension), days: Type.Optional(Type.Integer({ minimum: 1, maximum: 90 })) },
  { additionalProperties: false },
);
export type RowsReportQuery = Static<typeof RowsReportQuery>;

/** What became of the titles of some rows. */
export const RowsReportLine = Type.Object({
  name: Type.String(),
  /** Titles that were on a screen. */
  impressions: Type.Integer({ minimum: 0 }),
  /** Titles that were opened. */
  choices: Type.Integer({ minimum: 0 }),
  /** Choices ÷ impressions; absent where nothing was shown. */
  clickThrough: Type.Optional(Type.Number({ minimum: 0 })),
  /**
   * The same as it would be had every title stood at its place as often as any other that could have: each counts 1 ÷ its propensity, at
   * most 100 (self-normalised inverse propensity, Swaminathan and Joachims, 2015).
   */
  clickThroughAlike: Type.Optional(Type.Number({ minimum: 0 })),
});
export type RowsReportLine = Static<typeof RowsReportLine>;

export const RowsReport = Type.Object({
  by: RowsDimension,
  sinceMs: TimeMs,
  untilMs: TimeMs,
  /** Most shown first. */
  rows: Type.Array(RowsReportLine, { maxItems: 1000 }),
});
export type RowsReport = Static<typeof RowsReport>;
