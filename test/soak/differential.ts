// `./dev soak differential [--seed N] [--rounds N]`: random conversations with both engines, which must answer alike.
import { compareEngines, startPair } from '../support/appliance/differential.ts';
import { runProof, type ProofOptions, type ProofResult } from '../support/proof.ts';

const claim =
  'The native engine and the TypeScript engine answer the same random conversations (methods, ranges of all kinds, conditions, ' +
  'tokens, malformed heads, pipelining, cut at random bytes) with the same bytes and the same end, over HTTP and HTTPS.';

async function proveAlike({ seed, rounds }: ProofOptions): Promise<ProofResult> {
  const teardowns: (() => unknown)[] = [];
  const t = { teardown: (done: () => unknown) => void teardowns.unshift(done) };
  const lines: string[] = [];
  let holds = true;
  try {
    for (const secure of [false, true]) {
      const name = secure ? 'HTTPS' : 'HTTP';
      try {
        const statuses = await compareEngines(await startPair(t, { secure }), { seed, count: rounds });
        const counted = [...statuses].toSorted().map(([status, count]) => `${status} ${count}`);
        lines.push(`${name}: ${rounds} conversations alike; answers: ${counted.join(', ')}`);
      } catch (error) {
        holds = false;
        lines.push(`${name}: ${String(error)}`);
      }
    }
  } finally {
    for (const done of teardowns) await done();
  }
  return { holds, lines };
}

await runProof('differential', { claim, rounds: 20_000 }, proveAlike);
