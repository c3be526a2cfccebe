const colors: Readonly<Record<string, string>> = {
  trace: '\x1b[90m',
  debug: '\x1b[90m',
  info: '\x1b[32m',
  warn: '\x1b[33m',
  error: '\x1b[31m',
  fatal: '\x1b[31m',
};
const DIM = '\x1b[2m';
const RESET = '\x1b[0m';

/**
 * A JSON log record as a line for people: time of day, level, process, message, then the fields as key=value. An
 * error's stack follows on its own lines. Lines that are no records pass as they are.
 */
export function formatPretty(line: string, { color = false }: { color?: boolean } = {}): string {
  let record: Record<string, unknown>;
  try {
    record = JSON.parse(line) as Record<string, unknown>;
  } catch {
    return line;
  }
  const { level, time, name, msg, err, error, ...fields } = record;
  const paint = (text: string, code: string): string => (color ? `${code}${text}${RESET}` : text);
  const word = String(level);
  const parts = [
    paint(String(time).slice(11, 23), DIM),
    paint(word.toUpperCase().padEnd(5), colors[word] ?? ''),
    paint(String(name), DIM),
    clean(typeof msg === 'string' ? msg : ''),
    ...Object.entries(fields).map(([key, value]) => `${paint(`${key}=`, DIM)}${formatValue(value)}`),
  ];
  return `${parts.join(' ')}\n${formatError(err ?? error)}`;
}

function formatValue(value: unknown): string {
  if (typeof value !== 'string') return JSON.stringify(value);
  return /^[\w./:@,+-]+$/.test(value) ? value : JSON.stringify(value);
}

function formatError(error: unknown): string {
  if (typeof error !== 'object' || error === null) return '';
  const { code, message, stack, cause } = error as Record<string, unknown>;
  const head = typeof stack === 'string' ? stack : [code, message].filter(Boolean).join(' ');
  const indented = clean(head, '\n').replaceAll('\n', '\n    ');
  const because = formatError(cause);
  return `    ${indented}\n${because && `    caused by\n${because}`}`;
}

/** Control characters could repaint the terminal. */
function clean(text: string, allowed = ''): string {
  // eslint-disable-next-line no-control-regex -- they are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, (char) => (allowed.includes(char) ? char : '\ufffd'));
}
