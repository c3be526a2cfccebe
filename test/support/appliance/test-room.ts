import { policyDefault, type PolicyName } from '../../../appliance/core/eviction/policy.ts';
import { Room } from '../../../appliance/fill/room.ts';
import type { FileStore } from '../../../appliance/store/file-store.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { createSilentLog } from '../../../common/runtime/log.ts';

/** What makes room on a store; it keeps nothing for another process unless it is told where. */
export function testRoom(
  store: FileStore,
  { clock, policy = policyDefault, path = '/nowhere' }: { clock: Clock; policy?: PolicyName; path?: string },
): Room {
  return new Room({ store, policy, path, clock, log: createSilentLog() });
}
