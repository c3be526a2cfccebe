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
  readonly #isFinal: (file: string) => boolean;
  readonly #failedFiles: string[] = [];
  /** What was said since the last file ended: shown when the file failed. */
  #said: string[] = [];
  #fileSkips: string[] = [];
  #skips = new Map<string, number>();
  #totals: Totals | undefined;

  /** What a failed file said is set off by a bar unless its failure `isFinal`: such a file may run again. */
  constructor(print: (line: string) => void, isFinal: (file: string) => boolean = () => true) {
    this.#print = print;
    this.#isFinal = isFinal;
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

  /** Those that failed, as tap names them. */
  get failedFiles(): readonly string[] {
    return this.#failedFiles;
  }

  /**
   * Prints the summary. `passedAgain` are failed files that passed when they ran again alone; they are named, and count as passed.
   * False where tap ended without counts, for then nothing can be said to have passed, or where something failed.
   */
  end(passedAgain: readonly string[] = []): boolean {
    for (const name of passedAgain) this.#print(`flaky: ${name} failed once, and passed alone`);
    for (const [reason, count] of this.#skips) this.#print(`skipped ${String(count)}: ${reason}`);
    if (this.#totals === undefined) {
      for (const line of this.#said) this.#print(line);
      this.#print('tap ended without a result');
      this.#print('0 passed, 1 failed, 0 skipped');
      return false;
    }
    const { pass, fail, skip, todo } = this.#totals;
    if (todo > 0) this.#print(`to do: ${String(todo)}`);
    const failed = this.#failedFiles.every((name) => passedAgain.includes(name)) ? 0 : fail;
    this.#print(`${String(pass)} passed, ${String(failed)} failed, ${String(skip)} skipped`);
    return failed === 0;
  }

  #endFile(found: RegExpExecArray): void {
    const [, , not, name = '', directive, , timeMs = ''] = found;
    const failed = not !== undefined && directive === undefined;
    const skips = this.#fileSkips.length > 0 ? `  (${String(this.#fileSkips.length)} skipped)` : '';
    if (failed) {
      this.#failedFiles.push(name);
      const bar = this.#isFinal(name) ? '' : '| ';
      for (const line of failuresOf(this.#said)) this.#print(bar + line);
    }
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
