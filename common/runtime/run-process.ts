import { createSystemClock, type Clock } from './clock.ts';
import { coded, isCoded, toCoded } from './errors.ts';
import { exitCodeOf, exitCodes } from './exit-codes.ts';
import { letHeapGrow } from './heap.ts';
import { createLifecycle, type Component } from './lifecycle.ts';
import type { Log } from './log.ts';

export interface ProcessOptions {
  /** `control-plane`, `steering`, a node's id, … */
  name: string;
  log: Log;
  components: readonly Component[];
  clock?: Clock;
  /** What the `ready` record shows besides name and readyMs, asked once all have started: the url and the like. */
  ready?: () => Record<string, unknown>;
}

/**
 * Runs a process to its end: starts the components, logs `{"msg":"ready","name",…,"readyMs"}` (the name is the log's), and on SIGTERM or SIGINT
 * drains and stops them in reverse. A second signal exits at once. A crash of a component, an uncaught exception or an
 * unhandled rejection stops the process with an error log. Sets no exit code itself.
 *
 * @returns the exit code (see exit-codes.ts); 128 + signal when a second signal cut the stop short never returns.
 */
export async function runProcess(options: ProcessOptions): Promise<number> {
  const { log, components, name } = options;
  const clock = options.clock ?? createSystemClock();
  // What ps shows.
  process.title = `nearcast ${name}`;
  const lifecycle = createLifecycle({ components, log, clock });
  const ending = listenForEnd(log);
  try {
    const end = await Promise.race([
      startAndWait(),
      ending.ended,
      lifecycle.crashed.then((error): End => ({ kind: 'crash', error })),
    ]);
    if (end.kind === 'signal') log.info({ signal: end.signal }, 'stopping');
    else logFailure(log, end.error);
    await lifecycle.stop();
    log.info({ exitCode: exitCodeOfEnd(end) }, 'stopped');
    return exitCodeOfEnd(end);
  } finally {
    ending.dispose();
  }

  async function startAndWait(): Promise<End> {
    try {
      await lifecycle.start();
    } catch (error) {
      return { kind: 'crash', error };
    }
    letHeapGrow();
    // performance.now() counts from the start of the process itself.
    log.info({ ...options.ready?.(), readyMs: Math.round(performance.now()) }, 'ready');
    return new Promise(() => undefined);
  }
}

/** Runs a plane's main to its end and exits: `await exitWith(() => runProcess(…), log)`. Errors exit with their code. */
export async function exitWith(run: () => Promise<number>): Promise<never> {
  try {
    process.exit(await run());
  } catch (error) {
    const failure = toCoded(error);
    const shown = isCoded(error) ? failure.message : (error as Error | undefined)?.stack;
    process.stderr.write(`nearcast: ${failure.code} ${shown ?? String(error)}\n`);
    process.exit(exitCodeOf(failure));
  }
}

type End = { kind: 'signal'; signal: NodeJS.Signals } | { kind: 'crash'; error: unknown };

function exitCodeOfEnd(end: End): number {
  return end.kind === 'signal'
    ? exitCodes.ok
    : exitCodeOf(isCoded(end.error) ? end.error : toCoded(end.error));
}

function logFailure(log: Log, error: unknown): void {
  const failure = toCoded(error);
  log.fatal({ code: failure.code, err: error }, failure.code === 'INTERNAL' ? 'crashed' : failure.message);
}

function listenForEnd(log: Log) {
  const { promise: ended, resolve } = Promise.withResolvers<End>();
  let signals = 0;
  const onSignal = (signal: NodeJS.Signals): void => {
    signals++;
    if (signals > 1) {
      log.warn({ signal }, 'second signal: exiting at once');
      process.exit(signal === 'SIGINT' ? 130 : 143);
    }
    resolve({ kind: 'signal', signal });
  };
  const onBug = (error: unknown): void => {
    resolve({ kind: 'crash', error: toBug(error) });
  };
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal);
  process.on('uncaughtException', onBug).on('unhandledRejection', onBug);
  return {
    ended,
    dispose() {
      process.off('SIGTERM', onSignal).off('SIGINT', onSignal);
      process.off('uncaughtException', onBug).off('unhandledRejection', onBug);
    },
  };
}

/** What nobody caught is a bug even where it has a code. */
function toBug(error: unknown): unknown {
  return isCoded(error) ? coded('INTERNAL', { cause: error }) : error;
}
