/** The counts of test points that tap prints at the end of a run. */
interface Totals {
  readonly pass: number;
  readonly fail: number;
  readonly skip: number;
  readonly todo: number;
}

const point = /^( *)(not )?ok \d+(?: - (.*?))?(?: # (SKIP|TODO)\b ?(.*?))?(?: # time=([\d.]+)ms)?( \{)?$/i;
const totalsLine = /^# \{ total: \d+.* \}$/;

/** Makes a readable report of tap's raw output (TAP 14), line by line as it arrives. */
export class TapReport {
  readonly #print: (line: string) => void;
  /** What was said since the last file ended: shown when the file failed. */
  #said: string[] = [];
  #fileSkips: string[] = [];
  #skips = new Map<string, number>();
  #totals: Totals | undefined;

  constructor(print: (line: string) => void) {
    this.#print = print;
  }

  add(line: string): void {
    if (totalsLine.test(line)) this.#totals = parseTotals(line);
    const found = point.exec(line);
    if (found === null) {
      this.#said.push(line);
    } else if (found[1] === '') {
      this.#endFile(found);
    } else {
      this.#said.push(line);
      if (found[4]?.toUpperCase() === 'SKIP') this.#fileSkips.push(found[5] || 'no reason given');
    }
  }

  /** Prints the summary. False where tap ended without counts: then nothing can be said to have passed. */
  end(): boolean {
    for (const [reason, count] of this.#skips) this.#print(`skipped ${String(count)}: ${reason}`);
    if (this.#totals === undefined) {
      for (const line of this.#said) this.#print(line);
      this.#print('tap ended without a result');
      this.#print('0 passed, 1 failed, 0 skipped');
      return false;
    }
    const { pass, fail, skip, todo } = this.#totals;
    if (todo > 0) this.#print(`to do: ${String(todo)}`);
    this.#print(`${String(pass)} passed, ${String(fail)} failed, ${String(skip)} skipped`);
    return true;
  }

  #endFile(found: RegExpExecArray): void {
    const [, , not, name = '', directive, , timeMs = ''] = found;
    const failed = not !== undefined && directive === undefined;
    const skips = this.#fileSkips.length > 0 ? `  (${String(this.#fileSkips.length)} skipped)` : '';
    if (failed) for (const line of failuresOf(this.#said)) this.#print(line);
    this.#print(
      `${failed ? 'FAILED' : 'ok    '}  ${(Number(timeMs) / 1000).toFixed(1).padStart(6)} s  ${name}${skips}`,
    );
    for (const reason of this.#fileSkips) this.#skips.set(reason, (this.#skips.get(reason) ?? 0) + 1);
    this.#said = [];
    this.#fileSkips = [];
  }
}

/** Leaves out what passed: points that are ok, plans, and the headings of subtests that say nothing more. */
function failuresOf(lines: readonly string[]): string[] {
  const telling = lines.filter((line) => {
    const found = point.exec(line);
    return (
      (found === null || found[2] !== undefined) && !/^ *(1\.\.\d+|# time=.*|TAP version \d+)?$/.test(line)
    );
  });
  return telling.filter(
    (line, at) => !/^ *# Subtest: /.test(line) || indentOf(telling[at + 1] ?? '') > indentOf(line),
  );
}

function indentOf(line: string): number {
  return line.length - line.trimStart().length;
}

function parseTotals(line: string): Totals {
  const count = (name: string) => Number(new RegExp(`\\b${name}: (\\d+)`).exec(line)?.[1] ?? 0);
  return { pass: count('pass'), fail: count('fail'), skip: count('skip'), todo: count('todo') };
}
