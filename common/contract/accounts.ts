import { Type, type Static } from './type.ts';
import { AccessRole } from './credentials.ts';
import { Line, ObjectId, PlaceName, TimeMs } from './primitives.ts';

/** A mail address as people write it (RFC 5321 §4.1.2 without quoted names); compared without case. */
export const Email = Type.String({
  pattern: "^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\\.[A-Za-z0-9-]+)*$",
  maxLength: 254,
});

/** What is typed as a password; how strong it must be is said when it is chosen. */
export const Password = Type.String({ minLength: 1, maxLength: 200 });

/** What a person may do: an admin everything, an operator all but accounts, a partner sees the boxes of its sites, a viewer watches. */
export const AccountRole = Type.Union([
  Type.Literal('admin'),
  Type.Literal('operator'),
  Type.Literal('partner'),
  Type.Literal('viewer'),
]);
export type AccountRole = Static<typeof AccountRole>;

const Sites = Type.Array(PlaceName, { maxItems: 64 });

/** A person who may sign in. */
export const AccountView = Type.Object({
  id: ObjectId,
  email: Email,
  name: Line,
  role: AccountRole,
  /** What a partner sees; empty for all others. */
  sites: Sites,
  disabled: Type.Boolean(),
  /** Whether codes of an authenticator are asked for at sign-in. */
  totp: Type.Boolean(),
  createdAtMs: TimeMs,
  /** When a link in a letter to the address was followed; absent until one was. */
  emailConfirmedAtMs: Type.Optional(TimeMs),
});
export type AccountView = Static<typeof AccountView>;

/** A page of the accounts, by id; `next` is the `after` of the page behind it. */
export const AccountList = Type.Object({
  accounts: Type.Array(AccountView),
  next: Type.Optional(ObjectId),
});
export type AccountList = Static<typeof AccountList>;

export const AccountQuery = Type.Object(
  { after: Type.Optional(ObjectId), limit: Type.Integer({ default: 100, minimum: 1, maximum: 1000 }) },
  { additionalProperties: false },
);

export const AccountRequest = Type.Object(
  { email: Email, name: Line, role: AccountRole, sites: Type.Optional(Sites), password: Password },
  { additionalProperties: false },
);
export type AccountRequest = Static<typeof AccountRequest>;

export const AccountPatch = Type.Object(
  {
    name: Type.Optional(Line),
    role: Type.Optional(AccountRole),
    sites: Type.Optional(Sites),
    disabled: Type.Optional(Type.Boolean()),
    password: Type.Optional(Password),
  },
  { additionalProperties: false },
);
export type AccountPatch = Static<typeof AccountPatch>;

/** Makes the first admin, with the code that the control plane prints while there is no account. */
export const FirstAdminRequest = Type.Object(
  {
    code: Type.String({ minLength: 1, maxLength: 64 }),
    email: Email,
    name: Line,
    password: Password,
  },
  { additionalProperties: false },
);
export type FirstAdminRequest = Static<typeof FirstAdminRequest>;

/** All that is known of an account, by the services that know it. */
export const AccountExport = Type.Object({
  accountId: ObjectId,
  exportedAtMs: TimeMs,
  parts: Type.Record(Type.String(), Type.Unknown()),
});
export type AccountExport = Static<typeof AccountExport>;

const Scope = Type.String({ minLength: 1, maxLength: 64 });

/** Asks for a token with which a machine calls, for its maker's role or less. */
export const ApiTokenRequest = Type.Object(
  {
    name: Line,
    role: Type.Optional(AccountRole),
    scopes: Type.Array(Scope, { minItems: 1, maxItems: 32 }),
    ttlS: Type.Integer({ minimum: 60, maximum: 31_622_400 }),
  },
  { additionalProperties: false },
);
export type ApiTokenRequest = Static<typeof ApiTokenRequest>;

export const ApiTokenView = Type.Object({
  id: ObjectId,
  name: Line,
  /** Id of the account that made it; `operator` for the token in the data directory. */
  owner: Type.String({ minLength: 1, maxLength: 200 }),
  role: AccountRole,
  scopes: Type.Array(Scope),
  createdAtMs: TimeMs,
  expiresAtMs: TimeMs,
});
export type ApiTokenView = Static<typeof ApiTokenView>;

/** `token` is shown this once: what is kept is its hash. */
export const ApiTokenReply = Type.Object({ ...ApiTokenView.properties, token: Type.String() });
export type ApiTokenReply = Static<typeof ApiTokenReply>;

export const ApiTokenList = Type.Object({ tokens: Type.Array(ApiTokenView) });
export type ApiTokenList = Static<typeof ApiTokenList>;

/** Who calls, as the control plane sees it. */
export const Me = Type.Object({
  sub: Type.String(),
  role: AccessRole,
  scopes: Type.Optional(Type.Array(Type.String())),
  account: Type.Optional(AccountView),
});
export type Me = Static<typeof Me>;

const RedirectUri = Type.String({ minLength: 1, maxLength: 512 });

/** A program that signs people in by OAuth 2.1: public, so that it has no secret, and with PKCE. */
export const OauthClientView = Type.Object({
  id: ObjectId,
  name: Line,
  /** Where people are sent back to; compared exactly. */
  redirectUris: Type.Array(RedirectUri, { maxItems: 16 }),
  /** Whether it may show a code to be typed in elsewhere (RFC 8628). */
  device: Type.Boolean(),
  createdAtMs: TimeMs,
});
export type OauthClientView = Static<typeof OauthClientView>;

export const OauthClientRequest = Type.Object(
  {
    name: Line,
    redirectUris: Type.Optional(Type.Array(RedirectUri, { maxItems: 16 })),
    device: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false },
);
export type OauthClientRequest = Static<typeof OauthClientRequest>;

export const OauthClientList = Type.Object({ clients: Type.Array(OauthClientView) });
export type OauthClientList = Static<typeof OauthClientList>;

/** A program or a browser that is signed in. */
export const SessionView = Type.Object({
  id: Type.String({ pattern: '^ses_[\\w-]{8,64}$' }),
  accountId: ObjectId,
  kind: Type.Union([Type.Literal('browser'), Type.Literal('program')]),
  /** The program's name, or what people call the browser: `Firefox on Windows`, `a browser` where it does not say. */
  name: Type.String(),
  scopes: Type.Array(Type.String()),
  createdAtMs: TimeMs,
  expiresAtMs: TimeMs,
});
export type SessionView = Static<typeof SessionView>;

export const SessionList = Type.Object({ sessions: Type.Array(SessionView) });
export type SessionList = Static<typeof SessionList>;

/** The OAuth client that the command line is. */
export const cliClientId = 'nearcast-cli';
