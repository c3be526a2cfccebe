import { pino, type DestinationStream, type Logger } from 'pino';
import { isCoded } from './errors.ts';
import { formatPretty } from './log-pretty.ts';
import { redactFields, redactText } from './redact.ts';

/** What is logged with. A pino logger: `log.info({ file, sizeBytes }, 'file filled')`. */
export type Log = Logger;

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

export interface LogOptions {
  /** Name of the process, in every record. */
  name: string;
  level?: LogLevel;
  /** `auto` is `pretty` on a terminal and `json` everywhere else. */
  format?: 'auto' | 'json' | 'pretty';
  /** Where finished lines go; standard output unless given. */
  write?: (line: string) => void;
}

/**
 * Makes the process's log: one JSON record a line with `level` as a word and `time` in ISO 8601, without any credential.
 * Secret fields are hidden by name, tokens and signed texts by form, wherever they stand.
 */
export function createLog(options: LogOptions): Log {
  const stdout = process.stdout;
  const write = options.write ?? ((line: string) => stdout.write(line));
  const format = options.format ?? 'auto';
  const pretty = format === 'pretty' || (format === 'auto' && options.write === undefined && stdout.isTTY);
  const destination: DestinationStream = {
    write: (line) => {
      const clean = redactText(line);
      write(pretty ? formatPretty(clean, { color: stdout.isTTY }) : clean);
    },
  };
  return pino(
    {
      level: options.level ?? 'info',
      base: { name: options.name },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), log: redactFields, bindings: redactFields },
      serializers: { err: serializeError, error: serializeError },
    },
    destination,
  );
}

/** A log that says nothing, for tests and tools. */
export function createSilentLog(): Log {
  return pino({ level: 'silent' });
}

const CAUSES_MAX = 5;

/** An error as a record: code and message, the stack only of what is not a coded failure, and the causes. */
function serializeError(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return error;
  const { cause } = error;
  const code = 'code' in error ? error.code : undefined;
  return {
    type: error.name,
    ...(typeof code === 'string' && { code }),
    message: error.message,
    ...((!isCoded(error) || error.status >= 500) && { stack: error.stack }),
    ...(cause !== undefined && depth < CAUSES_MAX && { cause: serializeError(cause, depth + 1) }),
  };
}
