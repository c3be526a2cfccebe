import { createHash } from 'node:crypto';

/**
 * The session id in the fill tokens of one enrolment of an appliance, 32 hex digits: always the same, so that they can be revoked
 * together with it. It is no secret: the token's signature is what counts.
 */
export function fillSession({ id, enrolledAtMs }: { id: string; enrolledAtMs: number }): string {
  return createHash('sha256').update(`fill ${id} ${enrolledAtMs}`).digest('hex').slice(0, 32);
}
