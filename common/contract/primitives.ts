import { Type, type Static } from './type.ts';

/** Version of the wire contract; every signed document and stored record names it. */
export const contractVersion = 1;

/** A file's name: lower-case hex SHA-256 over its canonical descriptor (ADR 2). */
export const FileName = Type.String({ pattern: '^[0-9a-f]{64}$' });
export type FileName = Static<typeof FileName>;

/** A node's id is its name: a DNS label path, so that it can stand in hostnames and as a PATHWAY-ID. */
export const NodeId = Type.String({ pattern: '^[a-z0-9][a-z0-9.-]{0,62}$' });
export type NodeId = Static<typeof NodeId>;

/** A site or cluster name. */
export const PlaceName = Type.String({ pattern: '^[a-z0-9][a-z0-9.-]{0,62}$' });

/** What a node is enrolled as. An origin is an appliance that holds everything (ADR 9). */
export const NodeRole = Type.Union([
  Type.Literal('appliance'),
  Type.Literal('origin'),
  Type.Literal('steering'),
  Type.Literal('encoder'),
]);
export type NodeRole = Static<typeof NodeRole>;

/** Identifiers made by the control plane: a short prefix and random characters. */
export const ObjectId = Type.String({
  pattern: '^[a-z]{2,8}_[A-Za-z0-9_-]{8,40}$',
});

/** A name that operators of billing give, and later use. */
export const BillingName = Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,39}$' });

/** Unix time in milliseconds. */
export const TimeMs = Type.Integer({
  minimum: 0,
  maximum: 8_640_000_000_000_000,
});
/** The IANA name of a time zone; whether there is one of this name is checked where it is used. */
export const TimeZone = Type.String({
  pattern: '^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}$',
  maxLength: 64,
});
export const SizeBytes = Type.Integer({
  minimum: 0,
  maximum: Number.MAX_SAFE_INTEGER,
});
export const Fraction = Type.Number({ minimum: 0, maximum: 1 });
export const Sequence = Type.Integer({
  minimum: 0,
  maximum: Number.MAX_SAFE_INTEGER,
});

/** An http(s) base URL without query or fragment. */
export const BaseUrl = Type.String({
  pattern: '^https?://[^\\s/?#]+(/[^\\s?#]*)?$',
  minLength: 8,
  maxLength: 512,
});

/** An IPv4 or IPv6 address in text; parsed and checked where it is used. */
export const IpAddress = Type.String({
  minLength: 2,
  maxLength: 45,
  pattern: '^[0-9a-fA-F:.]+$',
});

/** An IPv4 or IPv6 prefix in CIDR notation. */
export const IpPrefix = Type.String({
  minLength: 4,
  maxLength: 49,
  pattern: '^[0-9a-fA-F:.]+/[0-9]{1,3}$',
});

/** A public P-256 key as JWK. */
export const PublicJwk = Type.Object(
  {
    kty: Type.Literal('EC'),
    crv: Type.Literal('P-256'),
    x: Type.String({ pattern: '^[A-Za-z0-9_-]{43}$' }),
    y: Type.String({ pattern: '^[A-Za-z0-9_-]{43}$' }),
  },
  { additionalProperties: false },
);
export type PublicJwk = Static<typeof PublicJwk>;

/** RFC 7638 thumbprint (SHA-256, base64url) of a JWK. */
export const Thumbprint = Type.String({ pattern: '^[A-Za-z0-9_-]{43}$' });

/** A compact JWS; its payload is checked after the signature. */
export const CompactJws = Type.String({
  pattern: '^[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+$',
  maxLength: 64 * 1024 * 1024,
});

/**
 * A human-readable line of text: something to see, no control characters, nothing that breaks the line or turns its
 * direction (Unicode TR 36 §2.10).
 */
export const Line = Type.String({
  minLength: 1,
  maxLength: 200,
  pattern: '^(?=.*\\S)[^\\u0000-\\u001f\\u007f-\\u009f\\u2028\\u2029\\u202a-\\u202e\\u2066-\\u2069]+$',
});

/** A name in DNS, lower case, without the dot at its end. */
export const DomainName = Type.String({
  pattern: '^[a-z0-9_]([a-z0-9_-]*)(\\.[a-z0-9_]([a-z0-9_-]*))*$',
  maxLength: 200,
});

/** From what age on something is fit to be seen; 18 for everything. */
export const Maturity = Type.Integer({ minimum: 0, maximum: 18 });

/** A language as BCP 47 names it; whether it is well formed is checked where it is used. */
export const Language = Type.String({ minLength: 2, maxLength: 35, pattern: '^[A-Za-z0-9-]+$' });
