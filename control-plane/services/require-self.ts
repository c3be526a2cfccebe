import { coded } from '../../common/runtime/errors.ts';
import type { Caller } from '../../common/runtime/http-credential.ts';

/** A node speaks for itself alone. Throws FORBIDDEN where the caller is not the node `id`. */
export function requireSelf(caller: Caller, id: string): void {
  if (caller.kind === 'node' && caller.nodeId === id) return;
  throw coded('FORBIDDEN', 'a node speaks for itself only');
}
