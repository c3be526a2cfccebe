import { Type, type Static } from './type.ts';
import { Line, NodeId, NodeRole, PlaceName, PublicJwk, TimeMs } from './primitives.ts';

/** Who may hold an access token. */
export const AccessRole = Type.Union([
  Type.Literal('operator'),
  Type.Literal('admin'),
  Type.Literal('partner'),
  Type.Literal('viewer'),
  Type.Literal('service'),
]);
export type AccessRole = Static<typeof AccessRole>;

/** Scopes apart by spaces, as OAuth has them; which there are is in common/core/scopes.ts. */
const ScopeText = Type.String({ maxLength: 1000 });

/**
 * Claims of an access token (JWT, typ at+jwt, ES256 by a key of use `access`). Times are Unix seconds. One with a `sid` ends with that
 * session, one with a `scope` may do no more than that; `sites` is what a partner sees.
 */
export const AccessClaims = Type.Object({
  iss: Type.Literal('nearcast'),
  aud: Type.Literal('nearcast'),
  sub: Line,
  role: AccessRole,
  iat: Type.Integer(),
  exp: Type.Integer(),
  jti: Type.String({ minLength: 8, maxLength: 64 }),
  sid: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
  scope: Type.Optional(ScopeText),
  sites: Type.Optional(Type.Array(PlaceName, { maxItems: 64 })),
});
export type AccessClaims = Static<typeof AccessClaims>;

/** Claims of a node's proof (JWT by the node's own key, one per call). Times are Unix seconds. */
export const NodeProofClaims = Type.Object({
  iss: NodeId,
  aud: Type.Union([Type.Literal('control-plane'), Type.Literal('steering')]),
  htm: Type.String({ maxLength: 16 }),
  htu: Type.String({ maxLength: 2048 }),
  iat: Type.Integer(),
  exp: Type.Integer(),
  jti: Type.String({ minLength: 8, maxLength: 64 }),
});
export type NodeProofClaims = Static<typeof NodeProofClaims>;

export const AccessTokenRequest = Type.Object(
  {
    role: AccessRole,
    sub: Line,
    ttlS: Type.Integer({ minimum: 60, maximum: 31_536_000 }),
    scope: Type.Optional(ScopeText),
  },
  { additionalProperties: false },
);
export type AccessTokenRequest = Static<typeof AccessTokenRequest>;

export const AccessTokenReply = Type.Object({
  token: Type.String(),
  expiresAtMs: TimeMs,
});
export type AccessTokenReply = Static<typeof AccessTokenReply>;

/** Asks for a single-use enrolment code; `name` becomes the node's id. */
export const EnrolmentCodeRequest = Type.Object(
  {
    role: NodeRole,
    name: NodeId,
    site: Type.Optional(PlaceName),
    cluster: Type.Optional(PlaceName),
  },
  { additionalProperties: false },
);
export type EnrolmentCodeRequest = Static<typeof EnrolmentCodeRequest>;

/** `code` is `nc1.<secret>.<thumbprint of the root key>`. */
export const EnrolmentCodeReply = Type.Object({
  code: Type.String(),
  expiresAtMs: TimeMs,
});
export type EnrolmentCodeReply = Static<typeof EnrolmentCodeReply>;

export const EnrolmentCode = Type.String({
  pattern: '^nc1\\.[A-Za-z0-9_-]{32}\\.[A-Za-z0-9_-]{43}$',
});

/** `proof`: a JWS by the new key over {secretHash: base64url SHA-256 of the secret}; shows that the caller holds the key. */
export const EnrolRequest = Type.Object(
  {
    secret: Type.String({ pattern: '^[A-Za-z0-9_-]{32}$' }),
    publicJwk: PublicJwk,
    proof: Type.String({ maxLength: 2048 }),
  },
  { additionalProperties: false },
);
export type EnrolRequest = Static<typeof EnrolRequest>;

export const EnrolReply = Type.Object({
  nodeId: NodeId,
  role: NodeRole,
  site: Type.Optional(PlaceName),
  cluster: Type.Optional(PlaceName),
  rootJwk: PublicJwk,
  keyset: Type.String(),
});
export type EnrolReply = Static<typeof EnrolReply>;
