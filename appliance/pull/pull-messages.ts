import { FileName } from '../../common/contract/primitives.ts';
import { Type, type Static } from '../../common/contract/type.ts';
import { isFileExtension } from '../../common/core/media-types.ts';
import { coded, isProblemCode, toCoded, type CodedError } from '../../common/runtime/errors.ts';
import type { PullAnswer, PullLink, PullRequest, PullRun } from './pull-link.ts';

const Count = Type.Integer({ minimum: 0 });
const Path = Type.String({ maxLength: 4096 });

/** What a serving worker asks of the master about a file that is not held; answered once. */
export const Pull = Type.Object({
  kind: Type.Literal('pull'),
  id: Count,
  file: FileName,
  ask: Type.Union([
    Type.Object({
      do: Type.Literal('open'),
      ext: Type.String({ maxLength: 8 }),
      session: Type.Optional(Type.String({ maxLength: 64 })),
    }),
    Type.Object({ do: Type.Literal('fetch'), first: Count, last: Count }),
    Type.Object({ do: Type.Literal('mistrust'), index: Count }),
  ]),
});
export type Pull = Static<typeof Pull>;

const Answer = Type.Union([
  Type.Object({ kind: Type.Literal('held') }),
  Type.Object({ kind: Type.Literal('partial'), content: Path, descriptor: Path, bits: Type.String() }),
  Type.Object({ kind: Type.Literal('elsewhere'), base: Type.String({ maxLength: 1024 }) }),
  Type.Object({ kind: Type.Literal('unknown') }),
]);

/** What came of it: an answer where it was asked to open, a problem where it failed. */
export const Pulled = Type.Object({
  kind: Type.Literal('pulled'),
  id: Count,
  answer: Type.Optional(Answer),
  problem: Type.Optional(
    Type.Object({
      code: Type.String({ maxLength: 64 }),
      detail: Type.String({ maxLength: 2000 }),
      retryAfterMs: Type.Optional(Type.Number({ minimum: 0 })),
    }),
  ),
});
export type Pulled = Static<typeof Pulled>;

/** Does for a worker what it asks. */
export async function answerPull(link: PullLink, { id, file, ask }: Pull): Promise<Pulled> {
  try {
    if (ask.do === 'open') return { kind: 'pulled', id, answer: await open(link, file, ask) };
    if (ask.do === 'fetch') await link.fetch({ file, first: ask.first, last: ask.last });
    else await link.mistrust(file, ask.index);
    return { kind: 'pulled', id };
  } catch (error) {
    const { code, message, detail, retryAfterMs } = toCoded(error);
    const problem = { code, detail: (detail ?? message).slice(0, 2000) };
    return {
      kind: 'pulled',
      id,
      problem: { ...problem, ...(retryAfterMs !== undefined && { retryAfterMs }) },
    };
  }
}

function open(link: PullLink, file: string, ask: { ext: string; session?: string }): Promise<PullAnswer> {
  const ext = isFileExtension(ask.ext) ? ask.ext : 'json';
  return link.open({ file, ext, session: ask.session });
}

/** The master as a worker asks it, over their channel. */
export class PullChannel implements PullLink {
  readonly #send: (message: Pull) => Promise<void>;
  readonly #waiting = new Map<number, PromiseWithResolvers<PullAnswer | undefined>>();
  #asked = 0;
  #isOver = false;

  constructor(send: (message: Pull) => Promise<void>) {
    this.#send = send;
  }

  async open({ file, ext, session }: PullRequest): Promise<PullAnswer> {
    const answer = await this.#ask(file, { do: 'open', ext, ...(session !== undefined && { session }) });
    return answer ?? { kind: 'unknown' };
  }

  async fetch({ file, first, last }: PullRun): Promise<void> {
    await this.#ask(file, { do: 'fetch', first, last });
  }

  async mistrust(file: string, index: number): Promise<void> {
    await this.#ask(file, { do: 'mistrust', index });
  }

  /** Takes what the master says. */
  hear({ id, answer, problem }: Pulled): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (problem === undefined) waiting?.resolve(answer);
    else {
      const { code, ...options } = problem;
      waiting?.reject(coded(isProblemCode(code) ? code : 'INTERNAL', options));
    }
  }

  /** The master has ended: who waits is told, and nobody waits any more. */
  end(): void {
    this.#isOver = true;
    for (const { reject } of this.#waiting.values()) reject(masterGone());
    this.#waiting.clear();
  }

  /** As many wait as there are requests, which the engine bounds; each is answered, for what the master does has its time. */
  async #ask(file: string, ask: Pull['ask']): Promise<PullAnswer | undefined> {
    if (this.#isOver) throw masterGone();
    const id = ++this.#asked;
    const waiting = Promise.withResolvers<PullAnswer | undefined>();
    this.#waiting.set(id, waiting);
    // The master may end while the channel takes it.
    waiting.promise.catch(() => undefined);
    await this.#send({ kind: 'pull', id, file, ask });
    return waiting.promise;
  }
}

function masterGone(): CodedError {
  return coded('UNAVAILABLE', 'the master process has ended: what is not held cannot be had');
}
