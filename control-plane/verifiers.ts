import { coded } from '../common/runtime/errors.ts';
import type { CredentialVerifiers } from '../common/runtime/http-credential.ts';
import type { Access } from './services/access/service.ts';
import type { Auth } from './services/auth/service.ts';
import type { SteeringMaps } from './services/steering-map/service.ts';

/** What verifies the credentials of the control plane's callers, from what the services know of each kind. */
export function verifiersOf(services: {
  access: Access;
  auth: Auth;
  maps: SteeringMaps;
}): Required<CredentialVerifiers> {
  const { access, auth, maps } = services;
  const { verifiers } = access;
  return {
    ...verifiers,
    access: auth.verifier((token) => verifiers.access(token)),
    // Those that were revoked are refused here as by every appliance.
    delivery: async (token) => {
      const claims = await verifiers.delivery(token);
      if (maps.isRevoked(claims)) throw coded('TOKEN_REVOKED', 'ask for a new playback session');
      return claims;
    },
  };
}
