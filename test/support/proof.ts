import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

/** What one run of a long proof did. */
export interface ProofResult {
  readonly holds: boolean;
  /** What was done and counted, a line each. */
  readonly lines: readonly string[];
}

/** How long the proof is to be. */
export interface ProofOptions {
  readonly seed: number;
  readonly rounds: number;
  /** Hears what is being done, for who watches. */
  readonly progress?: (what: string) => void;
}

const progressEveryMs = 10_000;
const root = new URL('../..', import.meta.url).pathname;

/**
 * Runs the long form of a proof from a seed (`--seed N --rounds N`) and writes seed, commit, duration and result to
 * docs/proofs/<name>.md. Exits with 1 when it does not hold.
 */
export async function runProof(
  name: string,
  defaults: { claim: string; rounds: number },
  prove: (options: ProofOptions) => Promise<ProofResult>,
): Promise<void> {
  const { values } = parseArgs({ options: { seed: { type: 'string' }, rounds: { type: 'string' } } });
  const seed = Number(values.seed ?? Date.now() % 1_000_000);
  const rounds = Number(values.rounds ?? defaults.rounds);
  await recordProof(
    {
      name,
      claim: defaults.claim,
      scale: `Rounds: ${rounds}, seed ${seed}`,
      again: `./dev soak ${name} --seed ${seed} --rounds ${rounds}`,
    },
    () => prove({ seed, rounds, progress: progressOf(name) }),
  );
}

/** Says on stderr how far it is, now and then. */
function progressOf(name: string): (what: string) => void {
  const startedMs = performance.now();
  let saidMs = startedMs;
  return (what) => {
    const nowMs = performance.now();
    if (nowMs - saidMs < progressEveryMs) return;
    saidMs = nowMs;
    process.stderr.write(`${name}: ${what}, ${Math.round((nowMs - startedMs) / 1000)} s\n`);
  };
}

/** What a proof claims, how much of it was done, and the command that does it again. */
export interface ProofHeading {
  readonly name: string;
  readonly claim: string;
  readonly scale: string;
  readonly again: string;
}

/** Proves, and writes commit, duration and result to docs/proofs/<name>.md. Exits with 1 when it does not hold. */
export async function recordProof(
  { name, claim, scale, again }: ProofHeading,
  prove: () => Promise<ProofResult>,
): Promise<void> {
  const startedMs = performance.now();
  const commit = execFileSync('git', ['rev-parse', '--short=12', 'HEAD'], {
    cwd: root,
    encoding: 'utf8',
  }).trim();
  const result = await prove();
  const durationS = Math.round((performance.now() - startedMs) / 1000);
  const text = [
    `# ${name}`,
    '',
    claim,
    '',
    `- Result: ${result.holds ? 'holds' : 'DOES NOT HOLD'}`,
    `- ${scale}`,
    `- Commit: ${commit}, ${new Date().toISOString().slice(0, 10)}, Node ${process.version}`,
    `- Duration: ${durationS} s`,
    ...result.lines.map((line) => `- ${line}`),
    '',
    `Again: \`${again}\``,
    '',
  ].join('\n');
  mkdirSync(`${root}/docs/proofs`, { recursive: true });
  writeFileSync(`${root}/docs/proofs/${name}.md`, text);
  process.stdout.write(text);
  process.exitCode = result.holds ? 0 : 1;
}
