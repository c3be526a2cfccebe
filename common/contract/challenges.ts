import { NodeId } from './primitives.ts';
import { Type, type Static } from './type.ts';

/** What an ACME server looks for in the TXT records of a name: the SHA-256 of a key authorization (RFC 8555 §8.4). */
const ChallengeValue = Type.String({ pattern: '^[A-Za-z0-9_-]{43}$' });

/** A certificate for a name and for its wildcard needs two at one time; a renewal that overlaps two more. */
const ChallengeValues = Type.Array(ChallengeValue, { maxItems: 4 });

/** What a node asks to be published under its own name; nothing takes back what was. */
export const ChallengeRequest = Type.Object({ values: ChallengeValues });
export type ChallengeRequest = Static<typeof ChallengeRequest>;

/** Who shows it, once it is answered: of the steering nodes that ask for maps, and those of them that still had an older one. */
export const ChallengeReply = Type.Object({
  steering: Type.Integer({ minimum: 0 }),
  behind: Type.Integer({ minimum: 0 }),
});
export type ChallengeReply = Static<typeof ChallengeReply>;

/** The TXT records of `_acme-challenge.<node>` under the steering zone. */
export const NodeChallenge = Type.Object({ node: NodeId, values: ChallengeValues });
export type NodeChallenge = Static<typeof NodeChallenge>;
