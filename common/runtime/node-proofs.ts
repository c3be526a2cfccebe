import { SignJWT } from 'jose';
import type { KeyObject } from 'node:crypto';
import { NodeProofClaims } from '../contract/credentials.ts';
import type { NodeRole } from '../contract/primitives.ts';
import { growingCache } from '../core/growing-cache.ts';
import { nodeProofType, readHeader, verifyJwt } from './access-tokens.ts';
import type { Chance } from './chance.ts';
import type { Clock } from './clock.ts';
import { coded } from './errors.ts';
import type { SigningKey } from './keys.ts';
import { parseAs } from './parse.ts';

/** Life of a proof; with the skew on both sides, how long its jti is remembered. */
const LIFE_S = 60;
const SKEW_S = 30;
const REPLAY_MS = (LIFE_S + 2 * SKEW_S) * 1000;

/** Who is meant to read a proof. */
export type ProofAudience = NodeProofClaims['aud'];

/** Makes the proof for one call: that the node holding the key makes this request now. */
export async function signNodeProof(
  call: { nodeId: string; audience: ProofAudience; method: string; path: string },
  { key, clock, chance }: { key: SigningKey; clock: Clock; chance: Chance },
): Promise<string> {
  const iat = Math.floor(clock.nowMs() / 1000);
  const claims: NodeProofClaims = {
    iss: call.nodeId,
    aud: call.audience,
    htm: call.method,
    htu: call.path,
    iat,
    exp: iat + LIFE_S,
    jti: chance.bytes(12).toString('base64url'),
  };
  return new SignJWT(claims)
    .setProtectedHeader({ alg: 'ES256', kid: key.kid, typ: nodeProofType })
    .sign(key.privateKey);
}

/** A node as the registry knows it by the thumbprint of its key. */
export interface KnownNode {
  nodeId: string;
  role: NodeRole;
  publicKey: KeyObject;
  revoked: boolean;
}

export interface ProofVerifierOptions {
  audience: ProofAudience;
  clock: Clock;
  /** The node whose key has this thumbprint. */
  findNode: (kid: string) => KnownNode | undefined | Promise<KnownNode | undefined>;
  /** How many proofs are remembered against replay; above it the oldest are forgotten early. */
  replaysMax?: number;
}

export type ProofVerifier = (
  proof: string,
  call: { method: string; path: string },
) => Promise<{ nodeId: string; role: NodeRole }>;

/**
 * Makes the verifier of node proofs. Each proof passes once, for its method and path, within 60 s.
 *
 * @throws (the verifier) CREDENTIAL_INVALID, CREDENTIAL_EXPIRED, CLOCK_SKEW, NODE_REVOKED.
 */
export function createProofVerifier(options: ProofVerifierOptions): ProofVerifier {
  const { audience, clock, findNode } = options;
  const seen = growingCache<string, true>(options.replaysMax ?? 100_000, {
    ttl: REPLAY_MS,
    perf: { now: () => clock.monotonicMs() + 1 },
  });
  return async (proof, call) => {
    const { kid, typ } = readHeader(proof);
    const node = typ === nodeProofType ? await findNode(kid) : undefined;
    if (node === undefined) throw coded('CREDENTIAL_INVALID', 'no enrolled node has this key');
    const nowMs = clock.nowMs();
    const payload = await verifyJwt(proof, node.publicKey, { typ: nodeProofType, nowMs });
    const claims = parseAs(NodeProofClaims, payload, { what: 'the proof', code: 'CREDENTIAL_INVALID' });
    if (node.revoked) throw coded('NODE_REVOKED', node.nodeId);
    checkClaims(claims, { node, audience, call, nowMs });
    const id = `${kid}:${claims.jti}`;
    if (seen.has(id)) throw coded('CREDENTIAL_INVALID', 'the proof was used before');
    seen.set(id, true);
    return { nodeId: node.nodeId, role: node.role };
  };
}

function checkClaims(
  claims: NodeProofClaims,
  want: { node: KnownNode; audience: ProofAudience; call: { method: string; path: string }; nowMs: number },
): void {
  const { node, audience, call, nowMs } = want;
  const refuse = (why: string) => coded('CREDENTIAL_INVALID', `the proof ${why}`);
  if (claims.iss !== node.nodeId) throw refuse('names another node');
  if (claims.aud !== audience) throw refuse(`is for ${claims.aud}`);
  if (claims.htm !== call.method || claims.htu !== call.path) throw refuse('is for another request');
  if (claims.exp > claims.iat + LIFE_S) throw refuse(`lives longer than ${LIFE_S} s`);
  // A proof is made for the call at hand: an old iat means that the clocks differ.
  if (claims.iat < nowMs / 1000 - LIFE_S) throw coded('CLOCK_SKEW', `check the clock of ${node.nodeId}`);
}
