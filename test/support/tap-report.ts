/** What a process of test files said, and how it ended. */
export interface TestProcess {
  /** In the order in which it was to run them; a line `# file: NAME` of its output begins each. */
  readonly files: readonly string[];
  readonly lines: readonly string[];
  /** Its exit code; the signal's name where one ended it. */
  readonly end: number | string;
  readonly wallS: number;
}

const point = /^( *)(not )?ok \d+(?: - (.*?))?(?: # (SKIP|TODO)\b ?(.*?))?(?: # time=([\d.]+)ms)?( \{)?$/i;
const totalsLine = /^# \{ total: \d+.* \}$/;
const fileLine = /^# file: (.*)$/;

/** Makes a readable report of the raw output (TAP 14) of test processes, each once it has ended. */
export class TapReport {
  readonly #print: (line: string) => void;
  readonly #isFinal: (file: string) => boolean;
  readonly #failedFiles: string[] = [];
  readonly #skips = new Map<string, number>();
  readonly #totals = { pass: 0, fail: 0, skip: 0, todo: 0 };

  /** What a failed file said is set off by a bar unless its failure `isFinal`: such a file may run again. */
  constructor(print: (line: string) => void, isFinal: (file: string) => boolean = () => true) {
    this.#print = print;
    this.#isFinal = isFinal;
  }

  /** Prints a line for each of its files, and what failed. One that says no counts has not come to its end. */
  add({ files, lines, end, wallS }: TestProcess): void {
    const said = splitByFile(files, lines);
    const totals = lines.findLast((line) => totalsLine.test(line));
    for (const kind of ['pass', 'fail', 'skip', 'todo'] as const)
      this.#totals[kind] += countOf(totals ?? '', kind);
    const reached = files.findLast((file) => said.has(file));
    const broken = totals === undefined || (end !== 0 && !lines.some((line) => hasFailed(point.exec(line))));
    if (broken) this.#totals.fail++;
    for (const file of files) {
      const own = said.get(file);
      if (own === undefined) this.#endFile(file, ['It was not reached.'], { isBroken: true, wallS: 0 });
      else {
        const isBroken = broken && file === reached;
        if (isBroken) own.push(`Its process ended before its tests did, with ${end}.`);
        this.#endFile(file, own, { isBroken, wallS: files.length === 1 ? wallS : pointsS(own) });
      }
    }
  }

  get failedFiles(): readonly string[] {
    return this.#failedFiles;
  }

  /**
   * Prints the summary. `passedAgain` are failed files that passed when they ran again alone; they are named, and count as passed.
   * False where something failed.
   */
  end(passedAgain: readonly string[] = []): boolean {
    for (const name of passedAgain) this.#print(`flaky: ${name} failed once, and passed alone`);
    for (const [reason, count] of this.#skips) this.#print(`skipped ${String(count)}: ${reason}`);
    const { pass, fail, skip, todo } = this.#totals;
    if (todo > 0) this.#print(`to do: ${String(todo)}`);
    const failed = this.#failedFiles.every((name) => passedAgain.includes(name)) ? 0 : fail;
    this.#print(`${String(pass)} passed, ${String(failed)} failed, ${String(skip)} skipped`);
    return failed === 0;
  }

  #endFile(
    name: string,
    said: readonly string[],
    { isBroken, wallS }: { isBroken: boolean; wallS: number },
  ): void {
    const points = said.map((line) => point.exec(line)).filter((found) => found !== null);
    const failed = isBroken || points.some((found) => found[1] === '' && hasFailed(found));
    if (failed) {
      this.#failedFiles.push(name);
      const bar = this.#isFinal(name) ? '' : '| ';
      for (const line of failuresOf(said)) this.#print(bar + line);
    }
    const skips = points
      .filter((found) => found[4]?.toUpperCase() === 'SKIP')
      .map((found) => found[5] || 'no reason given');
    const note = skips.length > 0 ? `  (${String(skips.length)} skipped)` : '';
    this.#print(`${failed ? 'FAILED' : 'ok    '}  ${wallS.toFixed(1).padStart(6)} s  ${name}${note}`);
    for (const reason of skips) this.#skips.set(reason, (this.#skips.get(reason) ?? 0) + 1);
  }
}

/** Lines before the first file's are its own: a process that fails early says so there. */
function splitByFile(files: readonly string[], lines: readonly string[]): Map<string, string[]> {
  const [first = ''] = files;
  const said = new Map<string, string[]>([[first, []]]);
  let own = said.get(first);
  for (const line of lines) {
    const name = fileLine.exec(line)?.[1];
    if (name === undefined) own?.push(line);
    else if (name !== first) said.set(name, (own = []));
  }
  return said;
}

function hasFailed(found: RegExpExecArray | null): boolean {
  return found?.[2] !== undefined && found[4] === undefined;
}

/** What its tests took, in seconds. */
function pointsS(lines: readonly string[]): number {
  const found = lines.map((line) => point.exec(line)).filter((one) => one?.[1] === '');
  return found.reduce((sum, one) => sum + Number(one?.[6] ?? 0) / 1000, 0);
}

/** Leaves out what passed: points that are ok, plans, and the headings of subtests that say nothing more. */
function failuresOf(lines: readonly string[]): string[] {
  const telling = lines.filter((line) => {
    const found = point.exec(line);
    return (
      (found === null || found[2] !== undefined) &&
      !totalsLine.test(line) &&
      !/^ *(1\.\.\d+|# time=.*|TAP version \d+)?$/.test(line)
    );
  });
  return telling.filter(
    (line, at) => !/^ *# Subtest: /.test(line) || indentOf(telling[at + 1] ?? '') > indentOf(line),
  );
}

function indentOf(line: string): number {
  return line.length - line.trimStart().length;
}

function countOf(totals: string, kind: string): number {
  return Number(new RegExp(`\\b${kind}: (\\d+)`).exec(totals)?.[1] ?? 0);
}
