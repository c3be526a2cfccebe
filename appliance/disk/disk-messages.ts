import { FileName, NodeId, SizeBytes } from '../../common/contract/primitives.ts';
import { Type, type Static } from '../../common/contract/type.ts';
import { logOptions } from '../../common/runtime/node-options.ts';
import { DiskLabel } from './label.ts';

// What the master and the process of a disk say to one another over the channel that Node gives a child: JSON, in order, each
// message once, what is asked with an id that the answer repeats. Chunks go beside it (chunk-pipe.ts).

const Kind = <K extends string>(kind: K) => Type.Literal(kind);
const Op = <O extends string>(op: O) => Type.Literal(op);
const Count = Type.Integer({ minimum: 0 });
/** Of a file of 16 TiB it is 512 MiB; those that are filled are far smaller. */
const Base64 = Type.String({ pattern: '^[A-Za-z0-9+/]*={0,2}$' });
const Detail = Type.String({ maxLength: 2000 });

export const DiskQuestion = Type.Union([
  /** What is there, before anything of it is used. */
  Type.Object({ op: Op('look') }),
  /** Uses it from now on; it answers once it has told what it holds. */
  Type.Object({
    op: Op('open'),
    label: DiskLabel,
    /** The label has to be written. */
    isNew: Type.Boolean(),
    /** The data directory is locked by the master already. */
    isDataDir: Type.Boolean(),
  }),
  /** Compares all of it with its index; answered when that is done. */
  Type.Object({ op: Op('heal') }),
  Type.Object({ op: Op('probe'), disk: DiskLabel.properties.id }),
  Type.Object({ op: Op('free') }),
  Type.Object({ op: Op('begin'), file: FileName, descriptor: Base64 }),
  Type.Object({
    op: Type.Union([
      Op('resume'),
      Op('publish'),
      Op('discard'),
      Op('remove'),
      Op('send-back'),
      Op('examine'),
    ]),
    file: FileName,
  }),
  Type.Object({
    op: Op('check'),
    file: FileName,
    index: Count,
    by: Type.Union([Type.Literal('disk'), Type.Literal('cache')]),
  }),
]);
export type DiskQuestion = Static<typeof DiskQuestion>;

export const ToDisk = Type.Union([
  /** The first that it hears. */
  Type.Object({
    kind: Kind('init'),
    path: Type.String({ maxLength: 4096 }),
    nodeId: NodeId,
    log: logOptions,
  }),
  Type.Object({ kind: Kind('ask'), id: Count, question: DiskQuestion }),
  /** It lets go of the disk and ends. */
  Type.Object({ kind: Kind('close') }),
]);
export type ToDisk = Static<typeof ToDisk>;

/** What is at the path of a disk. */
export const DiskLook = Type.Object({
  /** Tells directories apart, whatever way leads to them. */
  directory: Type.String({ maxLength: 64 }),
  /** The device of its file system. */
  device: Type.String({ maxLength: 64 }),
  /** Something is mounted there. */
  isMounted: Type.Boolean(),
  label: Type.Optional(DiskLabel),
});
export type DiskLook = Static<typeof DiskLook>;

/** The answer to `open`, after all that is held was told. */
export const Opened = Type.Object({ partial: Type.Array(FileName, { maxItems: 100_000 }) });
/** The answer to `resume`. */
export const Resumed = Type.Union([
  Type.Object({ descriptor: Base64, bits: Base64, resumedBytes: SizeBytes }),
  Type.Null(),
]);
/** The answer to `publish`. */
export const Published = Type.Object({ writtenBytes: SizeBytes, spentMs: Type.Number({ minimum: 0 }) });
/** The answer to `put` and `examine`. */
export const YesOrNo = Type.Boolean();
/** The answer to `free`. */
export const FreeBytes = Type.Number();
/** The answer to `check`. */
export const Checked = Type.Union([Type.Literal('good'), Type.Literal('bad'), Type.Literal('gone')]);

export const FromDisk = Type.Union([
  /** Part of the answer to `open`. */
  Type.Object({
    kind: Kind('held'),
    id: Count,
    /** As `packFiles` makes it. */
    files: Type.String(),
  }),
  /** What is in it depends on the question; nothing where it is only done. */
  Type.Object({ kind: Kind('answer'), id: Count, answer: Type.Optional(Type.Unknown()) }),
  Type.Object({
    kind: Kind('failed'),
    id: Count,
    code: Type.String({ maxLength: 64 }),
    detail: Detail,
  }),
  /** Index and disk differed. */
  Type.Object({ kind: Kind('found'), file: FileName, sizeBytes: Type.Optional(SizeBytes) }),
  /** It cannot go on; its end follows. */
  Type.Object({ kind: Kind('crashed'), code: Type.String({ maxLength: 64 }), detail: Detail }),
]);
export type FromDisk = Static<typeof FromDisk>;
