/** A letter in plain text to one person. */
export interface Letter {
  /** Of letters and digits; the same where it is sent again, so that whoever gets it twice can tell. */
  readonly id: string;
  /** Whose account it is about. */
  readonly accountId: string;
  readonly to: { readonly name: string; readonly address: string };
  readonly subject: string;
  /** Lines end with a line feed. */
  readonly text: string;
}

/** Hands letters to whoever delivers them. */
export interface Mail {
  /**
   * Resolves once somebody else answers for the letter (RFC 5321 §6.1). Errors: INVALID for an address, a name or a subject that could
   * begin a line of its own; MAIL_REFUSED where sending it again is no use; MAIL_UNAVAILABLE; ABORTED.
   */
  send(letter: Letter, options: { readonly signal: AbortSignal }): Promise<void>;
  /** Removes what is kept here of letters about an account. Errors: those of `send` for what cannot be reached. */
  forget(accountId: string): Promise<void>;
}
