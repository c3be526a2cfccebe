import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { mintDeliveryToken } from '../../../common/core/tokens/delivery-token.ts';
import { signAccessToken, type AccessGrant } from '../../../common/runtime/access-tokens.ts';
import { createSystemChance } from '../../../common/runtime/chance.ts';
import { loadKey } from '../../../common/runtime/keys.ts';
import { enrolNode, tokenKey, type TestPlane } from './control-plane.ts';

/** Everyone who may call a control plane. */
export const callerNames = [
  ...(['nobody', 'admin', 'operator', 'partner', 'viewer', 'service'] as const),
  ...(['appliance', 'origin', 'steering', 'encoder', 'play', 'steer'] as const),
] as const;
export type CallerName = (typeof callerNames)[number];

/** Callers of every kind. The partner's site is `isp-a`, where the appliance `own-appliance` is; `other-appliance` is at `isp-b`. */
export interface Callers {
  /** The credential for one call; '' for none. */
  credential(caller: CallerName, route: string): Promise<string>;
  /** An access token that says this, signed as the plane itself signs. */
  accessToken(grant: AccessGrant): Promise<string>;
}

/** Makes a caller of every kind on a control plane. */
export async function makeCallers(plane: TestPlane): Promise<Callers> {
  const nodes = {
    appliance: await enrolNode(plane, 'own-appliance', { site: 'isp-a' }),
    origin: await enrolNode(plane, 'own-origin', { role: 'origin', site: 'origin' }),
    steering: await enrolNode(plane, 'own-steering', { role: 'steering' }),
    encoder: await enrolNode(plane, 'own-encoder', { role: 'encoder' }),
  };
  await enrolNode(plane, 'other-appliance', { site: 'isp-b' });
  const directory = join(plane.dataDir, 'keys');
  const file = (await readdir(directory)).find((name) => name.startsWith('access-')) ?? 'none';
  const key = await loadKey(join(directory, file));
  if (key === undefined) throw new Error('the plane has no key of access tokens');
  const { clock } = plane;
  const chance = createSystemChance();
  const accessToken = async (grant: AccessGrant): Promise<string> =>
    (await signAccessToken({ ...grant, ttlS: 3600 }, { key, clock, chance })).token;
  const { kid, privateKey } = await tokenKey(plane);
  const deliveryToken = (scope: 'play' | 'steer'): string => {
    const issuedAtS = Math.floor(clock.nowMs() / 1000);
    const session = chance.bytes(16).toString('hex');
    const claims = { scope, session, issuedAtS, expiresAtS: issuedAtS + 3600, bundle: 'a'.repeat(64) };
    return mintDeliveryToken(claims, { kid, key: privateKey });
  };
  return {
    accessToken,
    async credential(caller, route) {
      switch (caller) {
        case 'nobody':
          return '';
        case 'partner':
          return accessToken({ sub: 'a partner', role: caller, sites: ['isp-a'] });
        case 'admin':
        case 'operator':
        case 'viewer':
        case 'service':
          return accessToken({ sub: `the ${caller}`, role: caller });
        case 'play':
        case 'steer':
          return deliveryToken(caller);
        case 'appliance':
        case 'origin':
        case 'steering':
        case 'encoder':
          return nodes[caller].proof(route as `GET /${string}`);
      }
    },
  };
}
