import { createHash } from 'node:crypto';
import { openCollection } from '../../../common/adapters/records/collection.ts';
import type { Records } from '../../../common/adapters/records/port.ts';
import { problemCodes } from '../../../common/contract/problem.ts';
import { TimeMs } from '../../../common/contract/primitives.ts';
import { Type, type Static } from '../../../common/contract/type.ts';
import { SingleFlight } from '../../../common/core/single-flight.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { assert, coded, isProblemCode, toCoded } from '../../../common/runtime/errors.ts';
import type { Log } from '../../../common/runtime/log.ts';
import { parseAs } from '../../../common/runtime/parse.ts';
import type { PersonalData } from '../personal-data.ts';

/**
 * One step of a procedure. It is done again where the process ended before that was written down, so doing it twice must be doing it once:
 * `key` is the same each time, and no other step's. What it gives is added to the procedure's state.
 */
export interface Step<State> {
  readonly name: string;
  /** A refusal (a coded error below 500, but for those that pass) undoes what was done before; all else is tried again. */
  readonly do: (state: State, key: string) => Promise<Partial<State>>;
  /** Takes it back, whoever has used it meanwhile; tried until it succeeds. */
  readonly undo?: (state: State, key: string) => Promise<void>;
}

/** Steps across services that end all done, or none. */
export interface Procedure<State extends object = object> {
  readonly name: string;
  /** Reads what was written down between two steps. */
  readonly parse: (state: unknown) => State;
  readonly steps: readonly Step<State>[];
  /** What is answered at the end, and kept for a week. */
  readonly answer: (state: State) => object;
  /** Whose it is, where that is known. */
  readonly accountOf: (state: State) => string;
}

/** One of any state: what is read with its own `parse` is its own. */
export type AnyProcedure = Pick<Procedure, 'name'>;

/** Who asks, once for each key, and for what. */
export interface ProcedureAsk {
  readonly caller: string;
  readonly key: string;
  readonly request: unknown;
}

/** Procedures under way: each step is written down before the next is done, so that a crash delays and changes nothing. */
export interface Procedures {
  /**
   * Carries a procedure out, or gives what it came to where it was asked for before. `begin` makes the state that it starts with. Errors: those
   * of its steps after all was undone; UNAVAILABLE where it goes on by itself; IDEMPOTENCY_KEY_REUSED.
   */
  run<State extends object>(
    ask: ProcedureAsk,
    procedure: Procedure<State>,
    begin: () => Promise<State>,
  ): Promise<object>;
  /** Carries on what was begun before; one that cannot go on now does not hold the others. */
  carryOn(): Promise<void>;
  /** What has ended for an account. */
  personal: PersonalData;
  /** Carries on what was begun, and forgets what ended a week ago, until the signal is aborted. */
  watch(signal: AbortSignal): Promise<void>;
}

const Failure = Type.Object({ code: Type.String(), detail: Type.Optional(Type.String()) });
const RunRecord = Type.Object({
  procedure: Type.String(),
  /** SHA-256 of what was asked for. */
  request: Type.String(),
  state: Type.Unknown(),
  /** How many steps are done. */
  done: Type.Integer({ minimum: 0 }),
  /** Why it is taken back; absent while it goes forward. */
  failure: Type.Optional(Failure),
  startedAtMs: TimeMs,
});
type RunRecord = Static<typeof RunRecord>;
const EndedRecord = Type.Object({
  request: Type.String(),
  account: Type.String(),
  answer: Type.Optional(Type.Unknown()),
  failure: Type.Optional(Failure),
  atMs: TimeMs,
});

const endedKeptMs = 7 * 86_400_000;
const watchEveryMs = 60_000;
/** What could not be done for so long is taken back. */
const patienceMs = 86_400_000;

/** Opens procedures over their records; `procedures` are all that may be found there. */
export function openProcedures(options: {
  records: Records;
  procedures: readonly AnyProcedure[];
  clock: Clock;
  log: Log;
}): Procedures {
  return new KeptProcedures(options);
}

class KeptProcedures implements Procedures {
  readonly #records: Records;
  readonly #procedures: ReadonlyMap<string, Procedure>;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #flights = new SingleFlight<undefined>();
  readonly #runs;
  readonly #ended;

  constructor({ records, procedures, clock, log }: Parameters<typeof openProcedures>[0]) {
    this.#records = records;
    this.#procedures = new Map(procedures.map((one) => [one.name, one as Procedure]));
    this.#clock = clock;
    this.#log = log;
    const code = 'STORE_CORRUPT';
    this.#runs = openCollection(records, 'runs', (value) =>
      parseAs(RunRecord, value, { what: 'the record of a procedure', code }),
    );
    this.#ended = openCollection(records, 'ended', (value) =>
      parseAs(EndedRecord, value, { what: 'what a procedure came to', code }),
    );
  }

  async run<State extends object>(
    { caller, key, request: wanted }: ProcedureAsk,
    procedure: Procedure<State>,
    begin: () => Promise<State>,
  ): Promise<object> {
    const id = `run_${hashOf([caller, key]).slice(0, 32)}`;
    const request = hashOf([procedure.name, wanted]);
    await this.#flights.run(id, async () => {
      const known = (await this.#runs.get(id)) ?? (await this.#ended.get(id));
      if (known !== undefined && known.value.request !== request)
        throw coded('IDEMPOTENCY_KEY_REUSED', 'take a new key for each new request');
      if (known === undefined) {
        const state = await begin();
        const startedAtMs = this.#clock.nowMs();
        await this.#runs.put(id, { procedure: procedure.name, request, state, done: 0, startedAtMs }, 0);
      }
      await this.#carry(id);
      return undefined;
    });
    const ended = (await this.#ended.get(id))?.value;
    // Another request may have had the flight.
    if (ended !== undefined && ended.request !== request)
      throw coded('IDEMPOTENCY_KEY_REUSED', 'take a new key for each new request');
    if (ended === undefined)
      throw coded('UNAVAILABLE', {
        detail: 'it is under way and goes on by itself; ask again with the same key',
        retryAfterMs: 5000,
      });
    const { failure, answer } = ended;
    if (failure !== undefined)
      throw coded(isProblemCode(failure.code) ? failure.code : 'INTERNAL', { detail: failure.detail });
    return answer as object;
  }

  async carryOn(): Promise<void> {
    for await (const { key } of this.#runs.all())
      await this.#flights
        .run(key, () => this.#carry(key))
        .catch((error: unknown) => {
          this.#log.error({ err: error, run: key }, 'a procedure cannot go on; it is tried again');
        });
  }

  readonly personal: PersonalData = {
    name: 'procedures',
    // That they ended is all that is known, and it is told by those whom they were about.
    export: async () => undefined,
    erase: async (account) => {
      for await (const { key, value } of this.#ended.all())
        if (value.account === account) await this.#ended.remove(key);
    },
    purge: () => this.#records.purge(),
  };

  async watch(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.carryOn()
        .then(() => this.#prune())
        .catch((error: unknown) => {
          this.#log.error({ err: error }, 'procedures cannot go on; it is tried again in a minute');
        });
      await this.#clock.sleep(watchEveryMs, { signal }).catch(() => undefined);
    }
  }

  async #prune(): Promise<void> {
    const untilMs = this.#clock.nowMs() - endedKeptMs;
    for await (const { key, value } of this.#ended.all())
      if (value.atMs < untilMs) await this.#ended.remove(key);
  }

  /** As far as it goes now. */
  async #carry(id: string): Promise<undefined> {
    for (;;) {
      const run = (await this.#runs.get(id))?.value;
      if (run === undefined) return;
      const procedure = this.#procedures.get(run.procedure);
      assert(procedure !== undefined, `there is no procedure ${run.procedure}`);
      const isAtEnd = run.failure === undefined ? run.done === procedure.steps.length : run.done === 0;
      if (isAtEnd) return this.#end(id, run, procedure);
      const next = await this.#step(id, run, procedure);
      if (next === undefined) return;
      await this.#runs.put(id, next);
    }
  }

  /** The run after its next step; undefined where that has to wait. */
  async #step(id: string, run: RunRecord, procedure: Procedure): Promise<RunRecord | undefined> {
    const state = procedure.parse(run.state);
    const index = run.failure === undefined ? run.done : run.done - 1;
    const step = procedure.steps[index];
    assert(step !== undefined, `${procedure.name} has a step ${index}`);
    const key = `${id}:${step.name}`;
    try {
      if (run.failure === undefined)
        return { ...run, state: { ...state, ...(await step.do(state, key)) }, done: run.done + 1 };
      await step.undo?.(state, key);
      return { ...run, done: run.done - 1 };
    } catch (error) {
      const { code, detail } = toCoded(error);
      const isLate = this.#clock.nowMs() - run.startedAtMs > patienceMs;
      const isRefusal = problemCodes[code].status < 500 && code !== 'OVERLOADED' && code !== 'RATE_LIMITED';
      if (run.failure === undefined && (isRefusal || isLate))
        return { ...run, failure: { code, ...(detail !== undefined && { detail }) } };
      this.#log.warn({ err: error, run: id, step: step.name }, 'a step could not be done; it is tried again');
      return undefined;
    }
  }

  async #end(id: string, run: RunRecord, procedure: Procedure): Promise<undefined> {
    const state = procedure.parse(run.state);
    const { request, failure } = run;
    const outcome = failure === undefined ? { answer: procedure.answer(state) } : { failure };
    const ended = { request, account: procedure.accountOf(state), ...outcome, atMs: this.#clock.nowMs() };
    await this.#records.commit([this.#runs.removeOperation(id), this.#ended.putOperation(id, ended)]);
  }
}

function hashOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('base64url');
}
