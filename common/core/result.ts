import type { ProblemCode } from '../contract/problem.ts';

/** What a pure check finds: the value, or the code of what is wrong and a sentence about it. */
export type Result<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly code: ProblemCode; readonly detail: string };

/** A success. */
export function ok<T>(value: T): Result<T> {
  return { ok: true, value };
}

/** A failure with its code of the contract's table. */
export function refused(code: ProblemCode, detail: string): Result<never> {
  return { ok: false, code, detail };
}
