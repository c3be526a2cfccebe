// Appends lines to an access log as one of several processes; see access-log.test.ts.
import { AccessLog } from '../../../appliance/records/access-log.ts';
import { createSystemClock } from '../../../common/runtime/clock.ts';
import { createSilentLog } from '../../../common/runtime/log.ts';

const [path = '', first = '0', count = '0'] = process.argv.slice(2);
const clock = createSystemClock();
const log = new AccessLog({ path, clock, log: createSilentLog() });
for (let at = 0; at < Number(count); at++) {
  log.append(Buffer.from(`{"n":${Number(first) + at},"fill":"${'y'.repeat(at % 700)}"}\n`));
  if (at % 100 === 99) await clock.sleep(50);
  if (at === 1000) process.send?.('begun');
}
await log.close();
process.disconnect?.();
