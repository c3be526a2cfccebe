import type { RecordOperation } from '../../../common/adapters/records/port.ts';
import type { KeyObject } from 'node:crypto';
import type { Clock } from '../../../common/runtime/clock.ts';
import { coded } from '../../../common/runtime/errors.ts';
import { importPublicJwk } from '../../../common/runtime/keys.ts';
import type { KnownNode } from '../../../common/runtime/node-proofs.ts';
import { createListeners } from '../listeners.ts';
import { createTurns } from '../turns.ts';
import type { AccessRecords, IdentityRecord } from './records.ts';

/** Who is enrolled, by name and by key. */
export interface Identities {
  list(): readonly IdentityRecord[];
  get(id: string): IdentityRecord | undefined;
  /** The node whose key has this thumbprint, revoked ones too. */
  findNode(kid: string): KnownNode | undefined;
  /** Enrols, together with other changes of the same file. NAME_TAKEN, CONFLICT for a key that another node has. */
  add(identity: IdentityRecord, alongside: readonly RecordOperation[]): Promise<void>;
  /** NODE_UNKNOWN where there is none; revoking twice changes nothing. */
  revoke(id: string): Promise<void>;
  onChange(listener: (id: string) => void): () => void;
}

/** Loads the enrolled nodes. */
export async function openIdentities(options: { records: AccessRecords; clock: Clock }): Promise<Identities> {
  const { records, clock } = options;
  const byId = new Map<string, IdentityRecord>();
  const byKid = new Map<string, { id: string; publicKey: KeyObject }>();
  const listeners = createListeners<string>();
  const inTurn = createTurns();

  const take = (identity: IdentityRecord): void => {
    const before = byId.get(identity.id);
    if (before !== undefined && before.kid !== identity.kid) byKid.delete(before.kid);
    byId.set(identity.id, identity);
    byKid.set(identity.kid, { id: identity.id, publicKey: importPublicJwk(identity.publicJwk) });
  };
  for await (const { value } of records.identities.all()) take(value);

  const add = async (identity: IdentityRecord, alongside: readonly RecordOperation[]): Promise<void> => {
    const before = byId.get(identity.id);
    if (before !== undefined && before.revokedAtMs === undefined) {
      const detail = `${identity.id} is enrolled; take another name, or have an operator revoke that node first`;
      throw coded('NAME_TAKEN', detail);
    }
    const holder = byKid.get(identity.kid);
    if (holder !== undefined && holder.id !== identity.id) {
      throw coded('CONFLICT', 'the key is enrolled under another name; a node makes its own');
    }
    await records.all.commit([records.identities.putOperation(identity.id, identity), ...alongside]);
    take(identity);
    listeners.tell(identity.id);
  };
  const revoke = async (id: string): Promise<void> => {
    const identity = byId.get(id);
    if (identity === undefined) throw coded('NODE_UNKNOWN', id);
    if (identity.revokedAtMs !== undefined) return;
    const revoked = { ...identity, revokedAtMs: clock.nowMs() };
    await records.identities.put(id, revoked);
    take(revoked);
    listeners.tell(id);
  };

  return {
    list: () => [...byId.values()],
    get: (id) => byId.get(id),
    onChange: (listener) => listeners.add(listener),
    findNode(kid) {
      const found = byKid.get(kid);
      const identity = found && byId.get(found.id);
      if (found === undefined || identity === undefined) return undefined;
      const { id: nodeId, role, revokedAtMs } = identity;
      return { nodeId, role, publicKey: found.publicKey, revoked: revokedAtMs !== undefined };
    },
    // In turn: two codes for one name at once must not both find it free.
    add: (identity, alongside) => inTurn(() => add(identity, alongside)),
    revoke: (id) => inTurn(() => revoke(id)),
  };
}
