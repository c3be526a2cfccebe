import type { ProblemCode } from '../contract/problem.ts';
import { isCoded, systemCode } from './errors.ts';

/** Exit codes of every command and process, after sysexits.h. */
export const exitCodes = {
  /** It did what was asked. */
  ok: 0,
  /** It was understood and failed. */
  failed: 1,
  /** The command line is wrong. */
  usage: 64,
  /** Something else is not there: the control plane, an address to listen on. */
  unavailable: 69,
  /** A bug. */
  internal: 70,
  /** Something cannot be written: a full disk, a directory that cannot be made. */
  cannotCreate: 73,
  /** Try again later: another process holds the data, the server sheds load. */
  tryLater: 75,
  /** A credential or file permission is missing. */
  permission: 77,
  /** The configuration is wrong. */
  config: 78,
} as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

const byProblem: Partial<Record<ProblemCode, ExitCode>> = {
  CONFIG_INVALID: exitCodes.config,
  CONTROL_UNREACHABLE: exitCodes.unavailable,
  STEERING_UNREACHABLE: exitCodes.unavailable,
  UNAVAILABLE: exitCodes.unavailable,
  AUDIT_UNAVAILABLE: exitCodes.unavailable,
  ADDRESS_IN_USE: exitCodes.unavailable,
  ADDRESS_UNAVAILABLE: exitCodes.unavailable,
  FFMPEG_MISSING: exitCodes.unavailable,
  DISK_FULL: exitCodes.cannotCreate,
  STORE_UNAVAILABLE: exitCodes.cannotCreate,
  STORE_UNSYNCED: exitCodes.cannotCreate,
  STORE_DENIED: exitCodes.permission,
  STORE_LOCKED: exitCodes.tryLater,
  // Trying again helps as little as with a wrong configuration.
  STORE_NEWER: exitCodes.config,
  RATE_LIMITED: exitCodes.tryLater,
  OVERLOADED: exitCodes.tryLater,
  DRAINING: exitCodes.tryLater,
  TIMEOUT: exitCodes.tryLater,
  INTERNAL: exitCodes.internal,
  CREDENTIAL_MISSING: exitCodes.permission,
  CREDENTIAL_INVALID: exitCodes.permission,
  CREDENTIAL_EXPIRED: exitCodes.permission,
  FORBIDDEN: exitCodes.permission,
  SECOND_FACTOR_MISSING: exitCodes.permission,
  NODE_REVOKED: exitCodes.permission,
  FIRST_ADMIN_CODE_INVALID: exitCodes.permission,
  ENROLMENT_CODE_INVALID: exitCodes.permission,
  ENROLMENT_CODE_USED: exitCodes.permission,
  ENROLMENT_CODE_EXPIRED: exitCodes.permission,
  WRONG_CONTROL_PLANE: exitCodes.permission,
};

/** The exit code that says what kind of thing went wrong. What has no code is a bug. */
export function exitCodeOf(error: unknown): ExitCode {
  if (!isCoded(error)) return exitCodes.internal;
  const system = systemCode(error.cause);
  if (system === 'EACCES' || system === 'EPERM') return exitCodes.permission;
  return byProblem[error.code] ?? exitCodes.failed;
}
