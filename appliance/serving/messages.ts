import { Type, type Static } from '../../common/contract/type.ts';

import { Revocations } from '../../common/contract/documents.ts';
import { FileName, Fraction, NodeId, PublicJwk, SizeBytes } from '../../common/contract/primitives.ts';
import type { ApplianceConfig } from '../config.ts';
import { Pull, Pulled } from '../pull/pull-messages.ts';

// What master and worker say to one another over the channel that Node gives a child: JSON, in order, each message once.
// Every list is bounded; what is longer comes in several messages.

export const batchMax = 5000;

const Kind = <K extends string>(kind: K) => Type.Literal(kind);
const Count = Type.Integer({ minimum: 0 });
const Amount = Type.Number({ minimum: 0 });
const Reasons = Type.Array(Type.String({ maxLength: 200 }), { maxItems: 16 });
const Session = Type.String({ pattern: '^[0-9a-f]{32}$' });
const Bytes = Type.String({ maxLength: 1024, pattern: '^[A-Za-z0-9+/]*={0,2}$' });
const Pem = Type.String({ maxLength: 1024 * 1024 });
const State = Type.Union([Type.Literal('ready'), Type.Literal('draining')]);
const AdmissionName = Type.Union([
  Type.Literal('all'),
  Type.Literal('known-sessions'),
  Type.Literal('nobody'),
]);
const Level = Type.Union([
  Type.Literal('normal'),
  Type.Literal('shed-fill'),
  Type.Literal('shed-new'),
  Type.Literal('shed-all'),
]);
const Tls = Type.Object({
  certificates: Type.Array(
    Type.Object({
      names: Type.Array(Type.String({ maxLength: 253 }), { maxItems: 1000 }),
      chainPem: Pem,
      keyPem: Pem,
    }),
    { maxItems: 1000 },
  ),
  h2: Type.Boolean(),
});

/** The first that a worker hears. */
export const Init = Type.Object({
  kind: Kind('init'),
  /** Without what is secret in it; the master has checked it. */
  config: Type.Unsafe<ApplianceConfig>({}),
  nodeId: NodeId,
  version: Type.String({ maxLength: 64 }),
  rootJwk: PublicJwk,
  worker: Count,
  workers: Count,
  /** Whether the addon can be used; the master has tried and has said why not. */
  native: Type.Boolean(),
  /** Whether the descriptor after the socket's is the shared memory of the caps. */
  hasCaps: Type.Boolean(),
});
export type Init = Static<typeof Init>;

export const ToWorker = Type.Union([
  Init,
  Type.Object({
    kind: Kind('held'),
    /** Number and root of every disk there is; what was on others is held no longer. */
    disks: Type.Array(Type.Tuple([Count, Type.String({ maxLength: 4096 })]), { maxItems: 1000 }),
    /** By the number of the disk: files as `packFiles` makes them. */
    added: Type.Array(Type.Tuple([Count, Type.String()]), { maxItems: 1000 }),
    removed: Type.Array(FileName, { maxItems: batchMax }),
  }),
  Type.Object({ kind: Kind('keyset'), jws: Type.String({ maxLength: 1024 * 1024 }) }),
  Type.Object({ kind: Kind('revocations'), body: Revocations }),
  Type.Object({ kind: Kind('state'), state: State }),
  Type.Object({ kind: Kind('admit'), admission: AdmissionName }),
  Type.Object({ kind: Kind('shed'), level: Level, headroom: Fraction, reasons: Reasons }),
  Type.Object({ kind: Kind('sessions'), sessions: Type.Array(Session, { maxItems: batchMax }) }),
  Type.Object({ kind: Kind('tls'), tls: Type.Optional(Tls) }),
  Type.Object({ kind: Kind('ticket-keys'), keys: Type.Array(Bytes, { maxItems: 16 }) }),
  Type.Object({ kind: Kind('address-key'), key: Bytes }),
  /** Everything that it needs has been said: it listens. */
  Type.Object({ kind: Kind('start') }),
  Type.Object({ kind: Kind('metrics-wanted'), id: Count }),
  /** What it asked for: the metrics of the whole box. */
  Type.Object({ kind: Kind('box-metrics'), id: Count, text: Type.String() }),
  Pulled,
  Type.Object({ kind: Kind('close'), deadlineMs: Amount }),
]);
export type ToWorker = Static<typeof ToWorker>;

const Metric = Type.Object({
  name: Type.String({ maxLength: 200 }),
  help: Type.String({ maxLength: 1000 }),
  type: Type.String({ maxLength: 20 }),
  aggregator: Type.String({ maxLength: 20 }),
  values: Type.Array(
    Type.Object({
      value: Type.Union([Type.Number(), Type.Null()]),
      labels: Type.Record(Type.String(), Type.Unknown()),
      metricName: Type.Optional(Type.String({ maxLength: 200 })),
    }),
    { maxItems: 10_000 },
  ),
});
/** A metric as prom-client gives it as JSON. */
export type Metric = Static<typeof Metric>;
export const MetricList = Type.Array(Metric, { maxItems: 1000 });

export const FromWorker = Type.Union([
  /** Every quarter of a second. */
  Type.Object({
    kind: Kind('report'),
    load: Type.Object({
      liveRequests: Count,
      connections: Count,
      failures: Count,
      headroom: Fraction,
      level: Level,
      reasons: Reasons,
    }),
    reading: Type.Object({
      connections: Count,
      liveRequests: Count,
      diskDelayMs: Amount,
      loopDelayMs: Amount,
      ttfbCounts: Type.Array(Count, { maxItems: 64 }),
      sentBytes: Count,
    }),
    openFiles: Count,
    /** Bytes since the last report: file, to who plays, to boxes that fill, to who looks at pictures. */
    served: Type.Array(Type.Tuple([FileName, SizeBytes, SizeBytes, SizeBytes]), { maxItems: batchMax }),
    sessions: Type.Array(Session, { maxItems: batchMax }),
    /** Problem codes of what it reads from. */
    reasons: Reasons,
  }),
  Type.Object({ kind: Kind('listening'), host: Type.String({ maxLength: 64 }), port: Count }),
  /** It cannot go on; its exit follows. */
  Type.Object({
    kind: Kind('failed'),
    code: Type.String({ maxLength: 64 }),
    detail: Type.String({ maxLength: 2000 }),
  }),
  Type.Object({
    kind: Kind('fault'),
    file: FileName,
    fault: Type.Union([Type.Literal('missing'), Type.Literal('cut'), Type.Literal('unreadable')]),
  }),
  /** With the id of the question, or 0 for nobody's. */
  Type.Object({ kind: Kind('metrics'), id: Count, metrics: MetricList }),
  Type.Object({ kind: Kind('box-metrics-wanted'), id: Count }),
  Pull,
]);
export type FromWorker = Static<typeof FromWorker>;
export type WorkerReport = Extract<FromWorker, { kind: 'report' }>;
