import type { Provider } from 'oidc-provider';

/**
 * Something with the epoch of a password, which is how often it was changed: an account has the present one, a sign-in and what
 * came of it the one under which they were let in.
 */
export interface WithEpoch {
  readonly passwordEpoch?: unknown;
}

/** The epoch of something; 0 of accounts whose password was never changed, and of what was kept before there were epochs. */
export function epochOf({ passwordEpoch }: WithEpoch): number {
  return typeof passwordEpoch === 'number' ? passwordEpoch : 0;
}

/** Whether something was let in under the password that an account has now. */
export function isOfPresentPassword(letIn: WithEpoch, account: WithEpoch): boolean {
  return epochOf(letIn) === epochOf(account);
}

/** Lets a new provider keep epochs with its sessions and grants, and with sessions whose browser it is; it stores only what it knows. */
export function keepOwnFields({ Session, Grant }: Provider): void {
  for (const model of [Session, Grant] as unknown as { readonly IN_PAYLOAD: readonly string[] }[])
    Object.defineProperty(model, 'IN_PAYLOAD', { value: [...model.IN_PAYLOAD, 'passwordEpoch', 'browser'] });
}

/** Makes a grant to a program, which lasts no longer than the password under which the session was let in. */
export function newGrant(
  { Grant }: Provider,
  { session, clientId }: { session: WithEpoch & { accountId?: string | undefined }; clientId: string },
): InstanceType<Provider['Grant']> {
  const { accountId = '', passwordEpoch } = session;
  return Object.assign(new Grant({ accountId, clientId }), { passwordEpoch });
}
