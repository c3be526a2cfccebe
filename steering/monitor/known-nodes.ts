import type { KeyObject } from 'node:crypto';
import type { PublicJwk } from '../../common/contract/primitives.ts';
import { importPublicJwk, thumbprint } from '../../common/runtime/keys.ts';
import type { KnownNode } from '../../common/runtime/node-proofs.ts';
import type { SteeringView } from '../core/view.ts';

interface Known extends Pick<KnownNode, 'nodeId' | 'role'> {
  readonly jwk: PublicJwk;
  readonly kid: string;
  publicKey: KeyObject | undefined;
}

/**
 * The nodes that a map names, by the thumbprints of their keys. A new map changes few of a thousand, and whoever takes it answers
 * meanwhile: what is known of the others stays, and a key is imported when its node first proves itself.
 */
export class KnownNodes {
  #byKid = new Map<string, Known>();

  /** Knows the nodes of this map from now on, and no others. */
  take({ appliances, steering }: Pick<SteeringView, 'appliances' | 'steering'>): void {
    const before = new Map([...this.#byKid.values()].map((known) => [known.nodeId, known]));
    const nodes = [...appliances, ...steering.map(({ id, key }) => ({ id, role: 'steering' as const, key }))];
    this.#byKid = new Map();
    for (const { id, role, key } of nodes) {
      if (key === undefined) continue;
      const same = before.get(id);
      const isSame = same?.jwk.x === key.x && same.jwk.y === key.y && same.role === role;
      const known = isSame
        ? same
        : { nodeId: id, role, jwk: key, kid: thumbprint(key), publicKey: undefined };
      this.#byKid.set(known.kid, known);
    }
  }

  /** The node whose key has this thumbprint. @throws KEY_UNKNOWN where the map has a key for it that is none. */
  find(kid: string): KnownNode | undefined {
    const known = this.#byKid.get(kid);
    if (known === undefined) return undefined;
    known.publicKey ??= importPublicJwk(known.jwk);
    const { nodeId, role, publicKey } = known;
    return { nodeId, role, publicKey, revoked: false };
  }
}
