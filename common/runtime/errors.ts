import { problemCodes, type Problem, type ProblemCode } from '../contract/problem.ts';
import type { Result } from '../core/result.ts';
import { redactText } from './redact.ts';

/** Field errors of a problem: where, and what is wrong there. */
export type ProblemFields = NonNullable<Problem['fields']>;

/** What a coded error may carry besides its code. */
export interface CodedErrorOptions {
  /** What is wrong in this case, where, and what to do next; one or two sentences for a person. */
  detail?: string | undefined;
  cause?: unknown;
  fields?: ProblemFields | undefined;
  /** After how many milliseconds it is worth asking again; sent as Retry-After. */
  retryAfterMs?: number | undefined;
}

/** A failure that has a code in the contract's table. Everything Nearcast throws on purpose is one. */
export class CodedError extends Error {
  override readonly name = 'CodedError';
  readonly code: ProblemCode;
  readonly status: number;
  readonly title: string;
  readonly detail: string | undefined;
  readonly fields: ProblemFields | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(code: ProblemCode, options: CodedErrorOptions = {}) {
    const { status, title } = problemCodes[code];
    super(options.detail === undefined ? title : `${title}: ${options.detail}`, { cause: options.cause });
    this.code = code;
    this.status = status;
    this.title = title;
    this.detail = options.detail;
    this.fields = options.fields;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** Makes a coded error: `throw coded('TITLE_UNKNOWN', { detail: id })`. */
export function coded(code: ProblemCode, options: CodedErrorOptions | string = {}): CodedError {
  return new CodedError(code, typeof options === 'string' ? { detail: options } : options);
}

/** The value of a pure check, or its refusal thrown as a coded error; `what` starts the detail. */
export function valueOf<T>(result: Result<T>, what?: string): T {
  if (result.ok) return result.value;
  throw coded(result.code, what === undefined ? result.detail : `${what}: ${result.detail}`);
}

/** Whether the error is a coded one, with one of these codes when any are named. */
export function isCoded(error: unknown, ...codes: readonly ProblemCode[]): error is CodedError {
  return error instanceof CodedError && (codes.length === 0 || codes.includes(error.code));
}

/** Whether the text is a code of the contract's table. */
export function isProblemCode(code: unknown): code is ProblemCode {
  return typeof code === 'string' && Object.hasOwn(problemCodes, code);
}

// What the machine says, in our words. ENOENT and the like are not here: they mean different things in different places.
const systemCodes: Readonly<Record<string, ProblemCode>> = {
  ENOSPC: 'DISK_FULL',
  EDQUOT: 'DISK_FULL',
  EROFS: 'STORE_UNAVAILABLE',
  EIO: 'STORE_UNAVAILABLE',
  EADDRINUSE: 'ADDRESS_IN_USE',
  EADDRNOTAVAIL: 'ADDRESS_UNAVAILABLE',
};

/**
 * Gives any thrown value a code: its own when it has one, that of the system error or of the abort behind it,
 * INTERNAL otherwise. The value stays as the cause.
 */
export function toCoded(error: unknown): CodedError {
  if (error instanceof CodedError) return error;
  const code = systemCode(error);
  const message = error instanceof Error ? error.message : undefined;
  // A pure core throws no CodedError but may name a code of the table.
  if (isProblemCode(code)) return new CodedError(code, { detail: message, cause: error });
  const known = code === undefined ? undefined : systemCodes[code];
  if (known !== undefined) return new CodedError(known, { detail: message, cause: error });
  const name = error instanceof Error ? error.name : undefined;
  if (name === 'TimeoutError') return new CodedError('TIMEOUT', { cause: error });
  if (name === 'AbortError') return new CodedError('ABORTED', { cause: error });
  return new CodedError('INTERNAL', { cause: error });
}

/** The `code` of a system error or of anything else that has one. */
export function systemCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/**
 * RFC 9457 problem details of any thrown value. `instance` is the path of the request; credentials in it and
 * in the detail are hidden. The detail of INTERNAL stays in the log.
 */
export function toProblem(error: unknown, instance?: string): Problem {
  const { code, status, title, detail, fields } = toCoded(error);
  return {
    type: `urn:nearcast:problem:${code.toLowerCase().replaceAll('_', '-')}`,
    title,
    status,
    code,
    ...(detail !== undefined && code !== 'INTERNAL' && { detail: redactText(detail) }),
    ...(instance !== undefined && { instance: redactText(instance) }),
    ...(fields !== undefined && { fields }),
  };
}

/** Thrown by `assert`: a bug here, not a failure there. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

/** States what must be true unless there is a bug. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}
