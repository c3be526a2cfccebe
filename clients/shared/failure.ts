import type { Problem } from '../../common/contract/problem.ts';

/** What went wrong with a call, in words that a person can act on. */
export interface Failure {
  readonly text: string;
  /** `credential`: only another link or signing in helps. `refused`: the call is at fault. `unreachable`: trying again may help. */
  readonly kind: 'credential' | 'refused' | 'unreachable';
}

/** What a call of RTK Query ends with: an HTTP status and the body, or the name of what went wrong on the way. */
interface CallError {
  readonly status?: number | string;
  readonly data?: unknown;
  readonly error?: string;
}

/** Says what a call's error means. `hasToken`: whether the page was opened with a token at all. */
export function explainFailure(error: unknown, { hasToken }: { hasToken: boolean }): Failure {
  if (!hasToken) return { kind: 'credential', text: 'This page opens with a link that has a token in it.' };
  const { status, data } = error as CallError;
  const problem = problemOf(data);
  switch (problem?.code) {
    case 'CREDENTIAL_EXPIRED':
      return { kind: 'credential', text: 'What this page was opened with has expired.' };
    case 'CREDENTIAL_MISSING':
    case 'CREDENTIAL_INVALID':
      return { kind: 'credential', text: 'What this page was opened with is not valid here, or was ended.' };
    case 'FORBIDDEN':
      return {
        kind: 'credential',
        text: 'What this page was opened with does not allow this: it is of another role.',
      };
    default:
  }
  if (typeof status !== 'number') {
    const isLate = status === 'TIMEOUT_ERROR';
    const text = isLate ? 'The control plane does not answer.' : 'The control plane cannot be reached.';
    return { kind: 'unreachable', text };
  }
  const kind = status >= 500 || status === 429 ? 'unreachable' : 'refused';
  if (problem === undefined) return { kind, text: `The control plane answered with status ${status}.` };
  const detail = problem.detail === undefined ? '' : ` (${problem.detail})`;
  return { kind, text: `${problem.title}${detail}.` };
}

function problemOf(data: unknown): Problem | undefined {
  if (typeof data !== 'object' || data === null) return undefined;
  const { code, title } = data as Partial<Problem>;
  return typeof code === 'string' && typeof title === 'string' ? (data as Problem) : undefined;
}
