import { openCollection, type Collection } from '../../../common/adapters/records/collection.ts';
import type { Records, RecordValue } from '../../../common/adapters/records/port.ts';
import { AccountView, ApiTokenView, OauthClientView } from '../../../common/contract/accounts.ts';
import { Line, ObjectId, PlaceName, Thumbprint, TimeMs } from '../../../common/contract/primitives.ts';
import { Type, type Static, type TSchema } from '../../../common/contract/type.ts';
import { parseAs } from '../../../common/runtime/parse.ts';

const TotpRecord = Type.Object({
  /** Base 32; what codes are made of cannot be kept as a hash. */
  key: Type.String({ pattern: '^[A-Z2-7]{32}$' }),
  begunAtMs: TimeMs,
  /** Since when codes are asked for; absent until one was typed. */
  confirmedAtMs: Type.Optional(TimeMs),
  /** The step of the last code that was taken: it and all before it are used up. */
  lastStep: Type.Integer({ minimum: 0 }),
  /** Hashes of the recovery codes that are left. */
  recovery: Type.Array(Thumbprint, { maxItems: 10 }),
});
export type TotpRecord = Static<typeof TotpRecord>;

export const AccountRecord = Type.Object({
  ...AccountView.properties,
  totp: Type.Optional(TotpRecord),
  /** argon2id in PHC's form; absent: nobody can sign in with a password. */
  passwordHash: Type.Optional(Type.String({ maxLength: 512 })),
  /** How often the password was changed; absent: never. What was let in before the last time is refused. */
  passwordEpoch: Type.Optional(Type.Integer({ minimum: 0 })),
});
export type AccountRecord = Static<typeof AccountRecord>;

/** A passkey by the hash of its credential's id. */
const PasskeyRecord = Type.Object({
  id: Thumbprint,
  accountId: ObjectId,
  name: Line,
  credentialId: Type.String({ maxLength: 2048 }),
  /** COSE, in base64url. */
  publicKey: Type.String({ maxLength: 8192 }),
  /** What the device counts, where it counts. */
  counter: Type.Integer({ minimum: 0 }),
  createdAtMs: TimeMs,
});
export type PasskeyRecord = Static<typeof PasskeyRecord>;

/** A machine's token by the hash of its secret; the secret itself is nowhere. */
export const ApiTokenRecord = Type.Object({
  ...ApiTokenView.properties,
  /** What a partner's token sees: its account's, at the time it was made. */
  sites: Type.Array(PlaceName),
  secretHash: Thumbprint,
});
export type ApiTokenRecord = Static<typeof ApiTokenRecord>;

/** Something of OAuth's (a session, a grant, a code, a refresh token), by its kind and the hash of its id. */
export const OidcRecord = Type.Object({
  expiresAtMs: TimeMs,
  payload: Type.Record(Type.String(), Type.Unknown()),
});
export type OidcRecord = Static<typeof OidcRecord>;

/** How far a chain of refresh tokens has come, by its grant. */
export const RefreshChainRecord = Type.Object({ head: Type.Integer({ minimum: 0 }), sinceMs: TimeMs });

/** A program that signs people in. */
export const ClientRecord = Type.Object({ ...OauthClientView.properties });
export type ClientRecord = Static<typeof ClientRecord>;

const KeyRecord = Type.Object({ key: Type.String() });
const IdRecord = Type.Object({ id: ObjectId });
const EmptyRecord = Type.Object({});

/** The collections of the auth service's own file. Each look-up is one by key or by the beginning of a key. */
export interface AuthRecords {
  all: Records;
  accounts: Collection<AccountRecord>;
  /** The account of an address, by the address in lower case. */
  emails: Collection<Static<typeof IdRecord>>;
  passkeys: Collection<PasskeyRecord>;
  /** Whose passkeys there are, by `<account>/<passkey>`. */
  passkeysOf: Collection<Static<typeof EmptyRecord>>;
  apiTokens: Collection<ApiTokenRecord>;
  /** Whose tokens there are, by `<owner>/<token>`. */
  apiTokensOf: Collection<Static<typeof EmptyRecord>>;
  oidc: Collection<OidcRecord>;
  /** Keys of `oidc`, by `<grant>/<key>`, `<account>/<key>` and `<when it ends>/<key>`. */
  oidcOfGrant: Collection<Static<typeof EmptyRecord>>;
  oidcOfAccount: Collection<Static<typeof EmptyRecord>>;
  oidcEnds: Collection<Static<typeof EmptyRecord>>;
  /** The key of `oidc` by another name that it has: a session's uid, a device's user code. */
  oidcNames: Collection<Static<typeof KeyRecord>>;
  refreshChains: Collection<Static<typeof RefreshChainRecord>>;
  clients: Collection<ClientRecord>;
}

/** Opens the collections of the auth service. */
export function openAuthRecords(records: Records): AuthRecords {
  const open = <S extends TSchema>(name: string, schema: S, what: string) =>
    openCollection<Static<S> & RecordValue>(records, name, (value) => parseAs(schema, value, { what }));
  return {
    all: records,
    accounts: open('accounts', AccountRecord, 'the record of an account'),
    emails: open('emails', IdRecord, 'the record of an address'),
    passkeys: open('passkeys', PasskeyRecord, 'the record of a passkey'),
    passkeysOf: open('passkeys-of', EmptyRecord, 'the record of who has a passkey'),
    apiTokens: open('api-tokens', ApiTokenRecord, 'the record of an API token'),
    apiTokensOf: open('api-tokens-of', EmptyRecord, 'the record of who has a token'),
    oidc: open('oidc', OidcRecord, 'a record of OAuth'),
    oidcOfGrant: open('oidc-of-grant', EmptyRecord, 'the record of what a grant has'),
    oidcOfAccount: open('oidc-of-account', EmptyRecord, 'the record of what an account has'),
    oidcEnds: open('oidc-ends', EmptyRecord, 'the record of when something ends'),
    oidcNames: open('oidc-names', KeyRecord, 'the record of a name'),
    refreshChains: open('refresh-chains', RefreshChainRecord, 'the record of a chain of refresh tokens'),
    clients: open('clients', ClientRecord, 'the record of a client'),
  };
}
