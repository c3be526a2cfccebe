import { TimeMs } from './primitives.ts';
import { Type, type Static } from './type.ts';

/** A country as ISO 3166-1 writes it in two letters. */
export const Country = Type.String({ pattern: '^[A-Z]{2}$' });

/** Where and when a title may be watched: everywhere without `regions`; from or until ever without the times. `toMs` is not in it. */
const ReleaseWindow = Type.Object(
  {
    regions: Type.Optional(Type.Array(Country, { minItems: 1, maxItems: 250 })),
    fromMs: Type.Optional(TimeMs),
    toMs: Type.Optional(TimeMs),
  },
  { additionalProperties: false },
);

/** Whether viewers may have a title. Without windows what is published is so everywhere and always. */
export const Release = Type.Object(
  {
    stage: Type.Union([Type.Literal('draft'), Type.Literal('published'), Type.Literal('retired')]),
    windows: Type.Optional(Type.Array(ReleaseWindow, { maxItems: 100 })),
  },
  { additionalProperties: false },
);
export type Release = Static<typeof Release>;

/** What its release makes of a title now: `scheduled` until its first window opens, `retired` once the last has closed. */
export const Availability = Type.Union([
  Type.Literal('draft'),
  Type.Literal('scheduled'),
  Type.Literal('live'),
  Type.Literal('retired'),
]);
export type Availability = Static<typeof Availability>;

/** What limits what a viewer may see. */
export const Viewer = Type.Object({
  /** The country where the viewer is; absent where that is not known. */
  region: Type.Optional(Country),
  maturityMax: Type.Integer(),
});
export type Viewer = Static<typeof Viewer>;
