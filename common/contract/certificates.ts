import { DomainName, NodeId } from './primitives.ts';
import { Type, type Static } from './type.ts';

/** What an ACME server looks for in the TXT records of a name: the SHA-256 of a key authorization (RFC 8555 §8.4). */
const ChallengeValue = Type.String({ pattern: '^[A-Za-z0-9_-]{43}$' });

/** The TXT records of `_acme-challenge.<node>` under the steering zone. */
export const NodeChallenge = Type.Object({
  node: NodeId,
  values: Type.Array(ChallengeValue, { maxItems: 4 }),
});
export type NodeChallenge = Static<typeof NodeChallenge>;

/** The one name that a node's certificate is for. */
export const CertificateName = Type.Object({ name: DomainName });
export type CertificateName = Static<typeof CertificateName>;

/** What a node has signed with the key that it keeps: PKCS #10 in PEM. */
export const CertificateRequest = Type.Object({
  csr: Type.String({
    pattern:
      '^-----BEGIN CERTIFICATE REQUEST-----\\n[A-Za-z0-9+/=\\n]+-----END CERTIFICATE REQUEST-----\\n?$',
    maxLength: 8192,
  }),
});
export type CertificateRequest = Static<typeof CertificateRequest>;

/** The certificate with its issuers behind it, or when to ask for it again. */
export const CertificateReply = Type.Object({
  chain: Type.Optional(Type.String({ maxLength: 65_536 })),
  retryMs: Type.Optional(Type.Integer({ minimum: 0, maximum: 3_600_000 })),
});
export type CertificateReply = Static<typeof CertificateReply>;
