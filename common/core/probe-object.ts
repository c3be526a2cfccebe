import { createHash } from 'node:crypto';

/** What the object of a probe tells of its box besides who it is. */
export type ProbedState = 'ready' | 'draining';

/** Length of the object of a probe: 4 KiB, so that it takes more than one segment to pass. */
export const probeBytes = 4096;

/**
 * The object that a box answers at `/probe`: 64 hashes in hexadecimal, counter mode over SHA-256 of the box's id and state.
 * Another box, a captive portal and a cache of another box's answer have other bytes; whoever knows the id knows what
 * must come, with nothing to be handed out before.
 */
export function probeObject(id: string, state: ProbedState): string {
  let text = '';
  for (let at = 0; text.length < probeBytes; at++) {
    text += createHash('sha256')
      .update(`nearcast-probe\n${id}\n${state}\n${String(at)}`)
      .digest('hex');
  }
  return text;
}

/** SHA-256 of a box's object, in hexadecimal. */
export function probeDigest(id: string, state: ProbedState): string {
  return createHash('sha256').update(probeObject(id, state)).digest('hex');
}
