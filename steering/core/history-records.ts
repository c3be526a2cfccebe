import { documentPayload, Place, SteeringMap } from '../../common/contract/documents.ts';
import { FileName, NodeId, Sequence, TimeMs } from '../../common/contract/primitives.ts';
import { Type, type Static } from '../../common/contract/type.ts';
import { rankKeys } from './rank-keys.ts';

// What the journal of a steering node keeps, a line of JSON each: from the map, the health and the shares in force at a moment
// every decision of it can be made again.

const Verdict = Type.Union([
  Type.Literal('unknown'),
  Type.Literal('up'),
  Type.Literal('draining'),
  Type.Literal('down'),
]);

/** What was believed of a node: of NodeHealth what decides or explains. */
export const BelievedHealth = Type.Object({
  verdict: Verdict,
  reason: Type.String({ maxLength: 1000 }),
  sinceMs: TimeMs,
  downFamilies: Type.Optional(Type.Array(Type.Union([Type.Literal(4), Type.Literal(6)]), { maxItems: 2 })),
  said: Type.Optional(
    Type.Object({ headroom: Type.Number(), unwell: Type.Optional(Type.String({ maxLength: 1000 })) }),
  ),
});
export type BelievedHealth = Static<typeof BelievedHealth>;

/** The policy that a node runs with. */
export const PolicyRecord = Type.Object({
  kind: Type.Literal('policy'),
  atMs: TimeMs,
  order: Type.Array(Type.Union(rankKeys.map((key) => Type.Literal(key))), { uniqueItems: true }),
  headroomMin: Type.Number({ minimum: 0, maximum: 1 }),
  waysMax: Type.Integer({ minimum: 2, maximum: 8 }),
  placeUnknown: Type.Optional(Place),
});
export type PolicyRecord = Static<typeof PolicyRecord>;

/** A map that was taken; it is in force from then on. */
export const MapRecord = Type.Object({
  kind: Type.Literal('map'),
  atMs: TimeMs,
  payload: documentPayload(SteeringMap),
});
export type MapRecord = Static<typeof MapRecord>;

/** Nodes of which something else is believed than before; null: nothing any more. */
export const HealthRecord = Type.Object({
  kind: Type.Literal('health'),
  atMs: TimeMs,
  nodes: Type.Record(NodeId, Type.Union([BelievedHealth, Type.Null()])),
});
export type HealthRecord = Static<typeof HealthRecord>;

/** The share of its viewers that each box keeps (load.ts), where that is not all: by id, in 255ths. */
export const KeptRecord = Type.Object({
  kind: Type.Literal('kept'),
  atMs: TimeMs,
  shares: Type.Record(NodeId, Type.Integer({ minimum: 0, maximum: 255 })),
});
export type KeptRecord = Static<typeof KeptRecord>;

/** Only in recordings: the journal is damaged there, or its process had died, and it tells nothing from one time to the other. */
export const LostRecord = Type.Object({ kind: Type.Literal('lost'), atMs: TimeMs, untilMs: TimeMs });
export type LostRecord = Static<typeof LostRecord>;

/** By which way it was asked. */
export const DecisionOutput = Type.Union([
  Type.Literal('http'),
  Type.Literal('steering'),
  Type.Literal('dns'),
]);
export type DecisionOutput = Static<typeof DecisionOutput>;

/** A decision that was sampled. */
export const DecisionRecord = Type.Object({
  kind: Type.Literal('decision'),
  atMs: TimeMs,
  /** How many decisions it stands for. */
  weight: Type.Integer({ minimum: 1 }),
  output: DecisionOutput,
  /** The client's block (/24, /48), no more: nobody needs to know who watched. */
  client: Type.String({ maxLength: 64 }),
  family: Type.Union([Type.Literal(4), Type.Literal(6)]),
  bundle: Type.Optional(FileName),
  shard: Type.Optional(Type.Integer({ minimum: 0 })),
  sequence: Sequence,
  ways: Type.Array(NodeId, { maxItems: 16 }),
});
export type DecisionRecord = Static<typeof DecisionRecord>;

/** A table that maps of a recording name, packed, in base64. Only in recordings: a node keeps tables in files of their own. */
export const TableRecord = Type.Object({
  kind: Type.Literal('table'),
  name: FileName,
  packed: Type.String({ maxLength: 64 * 1024 * 1024 }),
});
export type TableRecord = Static<typeof TableRecord>;

export const HistoryRecord = Type.Union([
  PolicyRecord,
  MapRecord,
  HealthRecord,
  KeptRecord,
  LostRecord,
  DecisionRecord,
  TableRecord,
]);
export type HistoryRecord = Static<typeof HistoryRecord>;

/** A decision as whoever makes it tells of it. */
export type Decision = Omit<DecisionRecord, 'kind' | 'atMs' | 'weight'>;

/** Where decisions are told. */
export interface DecisionSink {
  /** Counts one. @returns how many it stands for where it is to be told, else 0. */
  take(): number;
  add(weight: number, decision: Decision): void;
}

/** Bits of a client's address that are kept. */
export const blockBits = { 4: 24, 6: 48 } as const;
