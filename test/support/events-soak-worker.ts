// Sends the soak's batches from `argv[3]` on, of a soak that began at `argv[4]`, to the events service over `argv[2]`, some of them twice, and says which were answered, until it is killed.
import { createSystemClock } from '../../common/runtime/clock.ts';
import { openSoakService } from './events-soak-service.ts';
import { soakBatch } from './events-soak-batch.ts';

const [directory = '', first = '0', startMs = '0'] = process.argv.slice(2);
const senders = 8;
const clock = createSystemClock();
const { whole, billing } = await openSoakService(directory);
whole.start();
let next = Number(first);

async function send(number: number): Promise<number> {
  const { sender, events } = soakBatch(number, Number(startMs));
  const nowS = Math.floor(clock.nowMs() / 1000);
  const { accepted } = await whole.service.take(events, {
    ...{ client: sender.session, network: sender.session },
    session: { ...sender, issuedAtS: nowS, expiresAtS: nowS + 86_400 },
    ...{ device: 'tv', site: sender.site },
  });
  return accepted;
}

async function sendOn(): Promise<void> {
  for (;;) {
    const number = next++;
    await send(number);
    // An answer may be lost: what is sent again is known.
    const again = number % 10 === 0 ? await send(number) : 0;
    process.stdout.write(
      `${JSON.stringify({ number, again, rssMiB: process.memoryUsage.rss() / 2 ** 20 })}\n`,
    );
    // Lets the line out before the next commit blocks the process.
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Oftener than it is in service, to be killed in the midst of it. */
async function countOn(): Promise<void> {
  for (;;) {
    await billing.played.catchUp();
    await clock.sleep(20);
  }
}

await Promise.all([...Array.from({ length: senders }, sendOn), countOn()]);
