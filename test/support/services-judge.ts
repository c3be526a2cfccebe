import { setTimeout as sleep } from 'node:timers/promises';

import type { ServiceName } from '../../control-plane/apart/interface.ts';
import { systemCode } from '../../common/runtime/errors.ts';
import type { Answer } from '../control-plane/support/control-plane.ts';

/** What viewers and operators do, and whom that takes; everything comes by way of the core. */
export const needs = {
  // What a viewer may see depends on profiles.
  titles: ['core', 'users'],
  search: ['core', 'search', 'users'],
  play: ['core', 'playback', 'billing', 'users'],
  manifest: ['core', 'playback'],
  events: ['core', 'events', 'playback', 'recommendations'],
  viewing: ['core', 'users'],
  rows: ['core', 'recommendations', 'users'],
  'sign up': ['core', 'billing', 'users'],
  pay: ['core', 'billing'],
  usage: ['core', 'billing'],
} as const satisfies Readonly<Record<string, readonly ServiceName[]>>;
export type Kind = keyof typeof needs;
export const kinds = Object.keys(needs) as Kind[];

/** Whether a kind can go on without a service. */
export function goesOnWithout(kind: Kind, service: ServiceName): boolean {
  const those: readonly ServiceName[] = needs[kind];
  return !those.includes(service);
}

const tryAgainMs = 100;
const answerMsMax = 60_000;
const unansweredCodes = ['ECONNREFUSED', 'ECONNRESET', 'UND_ERR_SOCKET', 'EPIPE'];

/** Holds every answer to what may be said while a service is away. */
export class ServicesJudge {
  readonly failures: string[] = [];
  /** What was answered, by kind and status. */
  readonly counts = new Map<string, number>();
  /** How often each kind was done. */
  readonly done = new Map<Kind, number>(kinds.map((kind) => [kind, 0]));
  isOver = false;
  readonly #outages: { readonly name: ServiceName; readonly fromMs: number; untilMs: number }[] = [];

  get isStopped(): boolean {
    return this.isOver || this.failures.length > 0;
  }

  /** A service is about to be killed. */
  begin(name: ServiceName): void {
    this.#outages.push({ name, fromMs: performance.now(), untilMs: Infinity });
    // No request is under way for longer than the last few took.
    if (this.#outages.length > 20) this.#outages.shift();
  }

  /** Everything is done again. */
  end(): void {
    const last = this.#outages.at(-1);
    if (last !== undefined) last.untilMs = performance.now();
  }

  /**
   * Asks until it is done, as any client would: with the same key or id, so that it is done once. Undefined where the soak ends before,
   * or a wrong answer has ended it.
   */
  async doOnce(kind: Kind, ask: () => Promise<Answer>): Promise<Answer | undefined> {
    while (!this.isStopped) {
      const beganMs = performance.now();
      const answer = await withinTime(ask()).catch((error: unknown) => String(systemCode(error) ?? error));
      const isDone = typeof answer !== 'string' && answer.status < 300;
      const key = `${kind}, ${typeof answer === 'string' ? answer : answer.status}`;
      this.counts.set(key, (this.counts.get(key) ?? 0) + 1);
      if (isDone) {
        this.done.set(kind, (this.done.get(kind) ?? 0) + 1);
        return answer;
      }
      if (!this.#isRight(kind, answer, beganMs))
        this.failures.push(`${kind}, ${this.#whenTold()}: ${told(answer)}`);
      await sleep(tryAgainMs);
    }
    return undefined;
  }

  #whenTold(): string {
    const last = this.#outages.at(-1);
    if (last === undefined) return 'before anything was killed';
    const at = (ms: number): string => `${Math.round(performance.now() - ms)} ms`;
    const back =
      last.untilMs === Infinity ? 'and not all goes on again' : `all goes on for ${at(last.untilMs)}`;
    return `${last.name} was killed ${at(last.fromMs)} ago, ${back}`;
  }

  #isRight(kind: Kind, answer: Answer | string, beganMs: number): boolean {
    const away = this.#outages.filter(({ untilMs }) => untilMs >= beganMs).map(({ name }) => name);
    const isExcused = away.some((name) => !goesOnWithout(kind, name));
    if (typeof answer === 'string') return away.includes('core') && unansweredCodes.includes(answer);
    const { code } = (answer.json ?? {}) as { code?: string };
    const isSaid = code !== undefined && answer.headers['retry-after'] !== undefined;
    if (answer.status === 429) return isSaid;
    // A core that is back knows the origin, if not how it is.
    if (code === 'NO_PATHWAY') return false;
    if (!isExcused) return false;
    // What is not to be repeated by others may be lost with its process: whoever asked asks again.
    return answer.status === 503 ? isSaid : answer.status === 502 && code === 'UPSTREAM_FAILED';
  }
}

async function withinTime<T>(answer: Promise<T>): Promise<T> {
  const ended = new AbortController();
  const late = sleep(answerMsMax, undefined, { signal: ended.signal }).then(() => {
    throw new Error(`no answer within ${answerMsMax} ms`);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    ended.abort();
    await late.catch(() => undefined);
  }
}

function told(answer: Answer | string): string {
  return typeof answer === 'string'
    ? `no answer (${answer})`
    : `${answer.status} ${answer.text.slice(0, 300)}`;
}
