import type { AccessRole } from '../../../common/contract/credentials.ts';
import { accessTokenType, nodeProofType } from '../../../common/runtime/access-tokens.ts';
import { coded } from '../../../common/runtime/errors.ts';
import type { CredentialVerifiers } from '../../../common/runtime/http-credential.ts';
import type { DeliveryClaims } from '../../../common/core/tokens/delivery-token.ts';

function unsigned(typ: string, payload: object): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'ES256', kid: 'test', typ })}.${part(payload)}.c2ln`;
}

function payloadOf(token: string): unknown {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
}

/** The authorization header of someone with this role. */
export function asRole(role: AccessRole): { authorization: string } {
  return { authorization: `Bearer ${unsigned(accessTokenType, { role })}` };
}

/** The authorization header of an encoder of this name. */
export function asEncoder(nodeId: string): { authorization: string } {
  return { authorization: `Bearer ${unsigned(nodeProofType, { nodeId })}` };
}

/** Delivery tokens that say what they are: readable by `fakeVerifiers` only. */
export function fakeDeliveryToken(claims: DeliveryClaims): string {
  return Buffer.from(JSON.stringify(claims)).toString('base64url');
}

/** Takes the credentials of this file at their word: signatures are tested where they are made. */
export const fakeVerifiers: Required<CredentialVerifiers> = {
  access: async (token) => {
    const { role } = payloadOf(token) as { role: AccessRole };
    return { iss: 'nearcast', aud: 'nearcast', sub: `the ${role}`, role, iat: 0, exp: 0, jti: 'test-test' };
  },
  node: async (token) => {
    const { nodeId } = payloadOf(token) as { nodeId: string };
    return { nodeId, role: 'encoder' };
  },
  delivery: (token) => {
    try {
      return JSON.parse(Buffer.from(token, 'base64url').toString()) as DeliveryClaims;
    } catch (cause) {
      throw coded('TOKEN_INVALID', { cause });
    }
  },
};
