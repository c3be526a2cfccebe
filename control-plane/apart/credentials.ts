import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { AccessClaims } from '../../common/contract/credentials.ts';
import { NodeId, NodeRole } from '../../common/contract/primitives.ts';
import { Problem } from '../../common/contract/problem.ts';
import { Type, type Static, type TSchema } from '../../common/contract/type.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { coded, isCoded, isProblemCode, toProblem } from '../../common/runtime/errors.ts';
import type { CredentialVerifiers } from '../../common/runtime/http-credential.ts';
import { defineInterface, type Calls } from './interface.ts';

const Token = Type.String({ maxLength: 4096 });
const Times = { issuedAtS: Type.Integer(), expiresAtS: Type.Integer() };
const DeliveryClaims = Type.Object({
  ...Times,
  scope: Type.Union([
    Type.Literal('play'),
    Type.Literal('fill'),
    Type.Literal('steer'),
    Type.Literal('picture'),
  ]),
  session: Type.String(),
  bundle: Type.Optional(Type.String()),
  clients: Type.Optional(Type.Array(Type.String())),
  appliance: Type.Optional(Type.String()),
  pathways: Type.Optional(Type.Array(Type.String())),
});

/** What was found of a credential: an error of the call itself would be about whoever asks. */
const foundOr = <T extends TSchema>(found: T) =>
  Type.Object({ found: Type.Optional(found), refused: Type.Optional(Problem) });

/** Whoever verifies credentials for services that hold neither keys nor sessions. */
export const credentials = defineInterface({
  service: 'core',
  name: 'credentials',
  verbs: {
    access: { ask: Type.Object({ token: Token }), answer: foundOr(AccessClaims), isRepeatable: true },
    // Once only: a proof that is shown twice is refused.
    node: {
      ask: Type.Object({ proof: Token, method: Type.String(), path: Type.String() }),
      answer: foundOr(Type.Object({ nodeId: NodeId, role: NodeRole })),
      isRepeatable: false,
    },
    delivery: { ask: Type.Object({ token: Token }), answer: foundOr(DeliveryClaims), isRepeatable: true },
  },
});

/** Answers for the verifiers of this process. */
export function answerCredentials(verifiers: Required<CredentialVerifiers>): Calls<typeof credentials> {
  const { access, node, delivery } = verifiers;
  return {
    access: ({ token }) => found(() => access(token)),
    node: ({ proof, method, path }) => found(() => node(proof, { method, path })),
    delivery: ({ token }) =>
      found(async () => {
        const { bundle, clients, appliance, pathways, ...claims } = await delivery(token);
        return {
          ...claims,
          ...(bundle !== undefined && { bundle }),
          ...(clients !== undefined && { clients: [...clients] }),
          ...(appliance !== undefined && { appliance }),
          ...(pathways !== undefined && { pathways: [...pathways] }),
        };
      }),
  };
}

async function found<T>(verify: () => Promise<T>): Promise<{ found: T } | { refused: Problem }> {
  try {
    return { found: await verify() };
  } catch (error) {
    if (isCoded(error) && error.status < 500) return { refused: toProblem(error) };
    throw error;
  }
}

const keptMax = 10_000;
/** Sessions and tokens that were ended are refused everywhere within a minute. */
const keptMs = 5000;

/** Verifiers that ask. What was found of a token is believed for five seconds, so that a viewer who browses is asked after once. */
export function askForCredentials(
  calls: Calls<typeof credentials>,
  clock: Clock,
): Required<CredentialVerifiers> {
  const kept = <T extends object>(ask: (token: string) => Promise<T>) => {
    const known = new LRUCache<string, { value: T; untilMs: number }>({ max: keptMax });
    return async (token: string): Promise<T> => {
      const key = createHash('sha256').update(token).digest('base64url');
      const held = known.get(key);
      if (held !== undefined && clock.monotonicMs() < held.untilMs) return held.value;
      const value = await ask(token);
      known.set(key, { value, untilMs: clock.monotonicMs() + keptMs });
      return value;
    };
  };
  return {
    access: kept(async (token) => taken(await calls.access({ token }))),
    node: async (proof, call) => taken(await calls.node({ proof, ...call })),
    delivery: kept(async (token) => taken(await calls.delivery({ token }))),
  };
}

function taken<T>({ found: value, refused }: { found?: T; refused?: Static<typeof Problem> }): T {
  if (value !== undefined) return value;
  const { code = '', detail } = refused ?? {};
  throw coded(isProblemCode(code) ? code : 'CREDENTIAL_INVALID', { detail });
}
