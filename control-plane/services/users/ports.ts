import type { WatchedTitle } from './core/judge-report.ts';

/** What users need of accounts. */
export interface UserAccounts {
  find(id: string): Promise<object | undefined>;
}

/** What users need of the catalog: a title by its id, whatever its state. */
export interface UserTitles {
  find(id: string): WatchedTitle | undefined;
}

/** Keeps PINs as it keeps passwords; see services/auth. Errors of both: OVERLOADED. */
export interface PinHashes {
  hash(pin: string): Promise<string>;
  check(pin: string, held: string | undefined): Promise<boolean>;
}

/** What this control plane alone can write, so that it knows it again. */
export interface UnlockSeals {
  seal(purpose: string, text: string): string;
  isSeal(purpose: string, text: string, seal: string): boolean;
}
