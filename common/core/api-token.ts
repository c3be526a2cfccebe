const form = /^ncat_[0-9a-f]{16}_[\w-]{32}$/;

/** Whether a credential has the form of a machine's API token, which the control plane alone can look up. */
export function isApiToken(credential: string): boolean {
  return form.test(credential);
}
