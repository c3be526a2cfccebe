// Appends batches of three, several at once, and prints the last offset of each that is acknowledged, until it is killed.
import { pathToFileURL } from 'node:url';
import { openEvents } from '../../../../common/adapters/events/open.ts';

const events = await openEvents(pathToFileURL(process.argv[2] ?? '').href, { segmentBytes: 64 * 1024 });

async function appendOn(): Promise<never> {
  for (let n = 0; ; n += 1) {
    const text = 'x'.repeat((n * 37) % 2000);
    const offsets = await events.append(
      [1, 2, 3].map((part) => ({ type: 'test', timeMs: n, data: { n, part, text } })),
    );
    process.stdout.write(`${String(offsets.at(-1))}\n`);
  }
}

await Promise.all([appendOn(), appendOn(), appendOn()]);
