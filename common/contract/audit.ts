import { AccessRole } from './credentials.ts';
import { Sequence, TimeMs } from './primitives.ts';
import { Type, type Static } from './type.ts';

/** Lower-case hex SHA-256. */
const Digest = Type.String({ pattern: '^[0-9a-f]{64}$' });
const Word = Type.String({ minLength: 1, maxLength: 200 });

/** A place in the chain: an entry's number and its hash. The one before the first entry has the number 0. */
export const AuditMark = Type.Object({ sequence: Sequence, hash: Digest });
export type AuditMark = Static<typeof AuditMark>;

/** What is written of a privileged act; never a secret, and of a viewer no address. */
const draft = {
  atMs: TimeMs,
  /** Id of the account; `operator` for the token in the data directory, `-` where nobody is known. */
  account: Word,
  role: Type.Optional(AccessRole),
  /** The session or the API token that it came by. */
  session: Type.Optional(Word),
  /** The client's address, of IPv6 its /64. */
  network: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
  /** A route (`PATCH /v1/accounts/:id`), or in words what happened (`sign-in`). */
  action: Word,
  /** Id of what it was done to. */
  object: Type.Optional(Word),
  /** An act has two entries: that it begins, before anything is done, and how it ended. */
  outcome: Type.Union([
    Type.Literal('begun'),
    Type.Literal('done'),
    Type.Literal('refused'),
    Type.Literal('failed'),
  ]),
  /** Number of the entry that says that it began. */
  of: Type.Optional(Sequence),
  /** Code of the refusal or failure. */
  code: Type.Optional(Word),
  /** How often it happened; once where it is absent. */
  count: Type.Optional(Type.Integer({ minimum: 1 })),
  /** What was asked for: names of fields, and values of a few that are no secrets. */
  detail: Type.Optional(Type.String({ maxLength: 500 })),
};

export const AuditDraft = Type.Object(draft, { additionalProperties: false });
export type AuditDraft = Static<typeof AuditDraft>;

/** One entry of the chain; `previous` is the hash of the entry before, `hash` that of everything else in this one. */
export const AuditEntry = Type.Object(
  { ...draft, sequence: Type.Integer({ minimum: 1 }), previous: Digest, hash: Digest },
  { additionalProperties: false },
);
export type AuditEntry = Static<typeof AuditEntry>;

/** Asks for entries: with `after` the oldest behind that number first, else the newest (before `before`) first. */
export const AuditQuery = Type.Object(
  {
    after: Type.Optional(Sequence),
    before: Type.Optional(Sequence),
    account: Type.Optional(Word),
    /** What the action begins with. */
    action: Type.Optional(Word),
    object: Type.Optional(Word),
    fromMs: Type.Optional(TimeMs),
    toMs: Type.Optional(TimeMs),
    limit: Type.Integer({ default: 100, minimum: 1, maximum: 1000 }),
  },
  { additionalProperties: false },
);
export type AuditQuery = Static<typeof AuditQuery>;

/** `head` is the newest entry's mark; `anchor` that of the last entry that retention removed, or of the beginning. */
export const AuditPage = Type.Object({
  entries: Type.Array(AuditEntry),
  head: AuditMark,
  anchor: AuditMark,
});
export type AuditPage = Static<typeof AuditPage>;
