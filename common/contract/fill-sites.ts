import { FillWindow } from './documents.ts';
import { PlaceName, SizeBytes, TimeZone } from './primitives.ts';
import { Type, type Static } from './type.ts';

const RateBytesPerSecond = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER });
const Hours = Type.Pick(FillWindow, ['startMinute', 'endMinute']);

const LinkCap = Type.Object({ from: PlaceName, capBytesPerSecond: RateBytesPerSecond });
const capsMax = 64;

/** Changes when and how fast the boxes of a site fill. What is absent stays; null goes back to the default. */
export const FillSitePatch = Type.Object(
  {
    timeZone: Type.Optional(Type.Union([TimeZone, Type.Null()])),
    /** `any`: at any time, whatever the default says. */
    hours: Type.Optional(Type.Union([Hours, Type.Literal('any'), Type.Null()])),
    jitterMinutes: Type.Optional(Type.Union([Type.Integer({ minimum: 0, maximum: 240 }), Type.Null()])),
    /** All boxes of the site together. */
    capBytesPerSecond: Type.Optional(Type.Union([RateBytesPerSecond, Type.Null()])),
    /** Each box of the site. */
    applianceCapBytesPerSecond: Type.Optional(Type.Union([RateBytesPerSecond, Type.Null()])),
    /** Whose site it is: the sites of a partner share the partner's cap. */
    partner: Type.Optional(Type.Union([PlaceName, Type.Null()])),
    /** What all boxes of the site together take from the nodes of a site, the origin's or its own among them; all links at once. */
    links: Type.Optional(Type.Union([Type.Array(LinkCap, { minItems: 1, maxItems: capsMax }), Type.Null()])),
  },
  { additionalProperties: false, minProperties: 1 },
);
export type FillSitePatch = Static<typeof FillSitePatch>;

/** What all boxes of a partner's sites fill with together; null takes the cap back. */
export const FillPartnerPatch = Type.Object(
  { capBytesPerSecond: Type.Union([RateBytesPerSecond, Type.Null()]) },
  { additionalProperties: false },
);
export type FillPartnerPatch = Static<typeof FillPartnerPatch>;

/** When and how fast the boxes of a site fill. */
export const FillSiteView = Type.Object({
  site: PlaceName,
  appliances: Type.Integer({ minimum: 0 }),
  /** In force; absent: at any time. */
  window: Type.Optional(FillWindow),
  capBytesPerSecond: Type.Optional(SizeBytes),
  partner: Type.Optional(PlaceName),
  /** Of all of the partner's sites together. */
  partnerCapBytesPerSecond: Type.Optional(SizeBytes),
  /** Of all boxes of the site together, by the site that they fetch from. */
  links: Type.Optional(Type.Array(LinkCap, { maxItems: capsMax })),
  /** What the manifest of each of its boxes says: the lowest of all caps, those that are shared in equal parts. */
  applianceCapBytesPerSecond: Type.Optional(SizeBytes),
  /** What was chosen for this site; everything else is the default. */
  chosen: Type.Array(Type.String()),
});
export type FillSiteView = Static<typeof FillSiteView>;
export const FillSites = Type.Object({ sites: Type.Array(FillSiteView) });
export type FillSites = Static<typeof FillSites>;
