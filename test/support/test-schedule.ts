/** What a run remembers of a file for the next one. */
export interface FileCost {
  /** From the start of its process to its end. */
  readonly wallS: number;
  /** Of it and of all that it started and waited for. */
  readonly cpuS: number;
}

const apartSuffix = ':apart';
// A control plane by the program's own command, and one whose services are apart already.
const oneWayFiles = ['test/e2e/demo.test.ts', 'test/e2e/services-soak.test.ts'];
// Beside the end-to-end tests.
const bothWaysFiles = ['test/control-plane/services/recommendations/rows.test.ts'];

/** The runs of a file: end-to-end tests run with the control plane in one process, and again with each of its services by itself. */
export function runsOf(file: string): readonly string[] {
  const isWhole = file.startsWith('test/e2e/') && !oneWayFiles.includes(file);
  return isWhole || bothWaysFiles.includes(file) ? [file, file + apartSuffix] : [file];
}

/** The file of a run, and whether services are apart in it. */
export function parseRun(run: string): { readonly file: string; readonly isApart: boolean } {
  const isApart = run.endsWith(apartSuffix);
  return { file: isApart ? run.slice(0, -apartSuffix.length) : run, isApart };
}

/** Whether processes may take part in the test: beside other tests on two cores they meet load that no box is built for. */
export function hasProcesses(file: string): boolean {
  return !file.includes('/core/');
}

const filesPerProcessMax = 12;

// Real players are held to real time: they need more than their share of two cores.
const wideFiles = ['test/e2e/players.test.ts'];

/** In place of how many processes of tests one with these files runs. */
export function widthOf(files: readonly string[]): number {
  return files.some((run) => wideFiles.includes(parseRun(run).file)) ? 2 : 1;
}

// Where nothing is remembered: what takes longest is in these, and the rest is short.
const longFolders = [
  'test/e2e/',
  'test/packaging/',
  'test/encoder/',
  'test/steering/',
  'test/appliance/',
  'test/cli/',
];

/**
 * Which files or runs of files share a process, and in which order processes start: wide ones as long as there is room, then longest first, so that none
 * is left to run alone at the end.
 * Files of cores are pure, so several share what the start of a process costs.
 */
export function planProcesses(
  files: readonly string[],
  costs: Readonly<Record<string, FileCost>>,
): readonly (readonly string[])[] {
  const pure = files.filter((file) => !hasProcesses(file));
  const count = Math.ceil(pure.length / filesPerProcessMax);
  const shared = Array.from({ length: count }, (_, at) => pure.filter((_, which) => which % count === at));
  const alone = files.filter(hasProcesses).map((file) => [file]);
  const secondsOf = (process: readonly string[]): number =>
    process.reduce((sum, file) => sum + (costs[file]?.wallS ?? guessS(file)), 0);
  return [...alone, ...shared].toSorted((a, b) => widthOf(b) - widthOf(a) || secondsOf(b) - secondsOf(a));
}

/** In which order files are met of which nothing is remembered: rough seconds. */
function guessS(file: string): number {
  const at = longFolders.findIndex((folder) => file.startsWith(folder));
  return !hasProcesses(file) || at < 0 ? 0.5 : 10 * (longFolders.length - at);
}
