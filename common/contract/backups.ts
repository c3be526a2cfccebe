import { SizeBytes, TimeMs } from './primitives.ts';
import { Type, type Static } from './type.ts';

/** A backup that is kept, by the name of its archive. */
export const BackupView = Type.Object({
  name: Type.String({ maxLength: 100 }),
  /** The moment of which it is. */
  takenAtMs: TimeMs,
  sizeBytes: SizeBytes,
  /** Encrypted by a passphrase. */
  sealed: Type.Boolean(),
});
export type BackupView = Static<typeof BackupView>;

/** The backup that is being made, or was made last. */
export const BackupWork = Type.Object({
  state: Type.Union([Type.Literal('running'), Type.Literal('done'), Type.Literal('failed')]),
  startedAtMs: TimeMs,
  /** How much is done, from 0 to 1. */
  fraction: Type.Number({ minimum: 0, maximum: 1 }),
  /** The archive; once it is done. */
  backup: Type.Optional(BackupView),
  /** Why it failed, with a code of problem.ts. */
  failure: Type.Optional(Type.Object({ code: Type.String(), detail: Type.String() })),
});
export type BackupWork = Static<typeof BackupWork>;

/** What is kept, the latest first, and what is under way. */
export const BackupList = Type.Object({
  backups: Type.Array(BackupView),
  work: Type.Optional(BackupWork),
});
export type BackupList = Static<typeof BackupList>;
