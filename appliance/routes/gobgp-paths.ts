import { Type, type Static } from '../../common/contract/type.ts';
import type { RouteKeys } from '../../common/core/route-table.ts';
import { matches, parseJsonAs } from '../../common/runtime/parse.ts';
import { segmentsLength } from '../core/routes/as-path.ts';
import type { RouteClassifier } from '../core/routes/route-classes.ts';

const Count = Type.Integer({ minimum: 0, maximum: 2 ** 32 - 1 });

// The attributes by their type on the wire (RFC 4271 §5): of each only what is needed here.
const Attribute = Type.Object({
  type: Type.Integer(),
  as_paths: Type.Optional(
    Type.Array(Type.Object({ segment_type: Type.Integer(), asns: Type.Optional(Type.Array(Count)) })),
  ),
  metric: Type.Optional(Count),
  communities: Type.Optional(Type.Array(Count)),
  value: Type.Optional(Type.Unknown()),
});
const AS_PATH = 2;
const MED = 4;
const COMMUNITIES = 8;
const LARGE_COMMUNITIES = 32;
const LargeCommunities = Type.Array(Type.Object({ ASN: Count, LocalData1: Count, LocalData2: Count }));

/** A path as `gobgp monitor global rib -j` prints it; without a prefix it is of another family. */
const GobgpPath = Type.Object({
  nlri: Type.Optional(Type.Object({ prefix: Type.Optional(Type.String({ maxLength: 64 })) })),
  attrs: Type.Optional(Type.Array(Attribute)),
  withdrawal: Type.Optional(Type.Boolean()),
});

/** What became of a prefix: its route, or none any more. */
export interface GobgpChange {
  readonly prefix: string;
  readonly keys: RouteKeys | undefined;
}

/** Reads one path; undefined where it is none of IPv4 or IPv6. Throws ROUTE_SOURCE_UNREADABLE. */
export function readGobgpPath(text: string, classifier: RouteClassifier): GobgpChange | undefined {
  const path = parseJsonAs(GobgpPath, text, { what: 'a path of GoBGP', code: 'ROUTE_SOURCE_UNREADABLE' });
  const prefix = path.nlri?.prefix;
  if (prefix === undefined) return undefined;
  if (path.withdrawal === true) return { prefix, keys: undefined };
  const attributes = path.attrs ?? [];
  const of = (type: number): Static<typeof Attribute> | undefined =>
    attributes.find((attribute) => attribute.type === type);
  const segments = of(AS_PATH)?.as_paths ?? [];
  return {
    prefix,
    keys: {
      classOrder: classifier.classOrder(
        communitiesOf(of(COMMUNITIES)?.communities, of(LARGE_COMMUNITIES)?.value),
      ),
      asPathLength: segmentsLength(
        segments.map((segment) => ({ type: segment.segment_type, asCount: segment.asns?.length ?? 0 })),
      ),
      med: of(MED)?.metric ?? 0,
    },
  };
}

function communitiesOf(plain: readonly number[] = [], large: unknown): string[] {
  const larges = matches(LargeCommunities, large) ? large : [];
  return [
    ...plain.map((community) => `${community >>> 16}:${community & 0xffff}`),
    ...larges.map(({ ASN, LocalData1, LocalData2 }) => `${ASN}:${LocalData1}:${LocalData2}`),
  ];
}
