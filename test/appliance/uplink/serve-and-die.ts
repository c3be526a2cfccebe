// Counts bytes as served and says so once they are kept; killed by its test at any moment. See served-reports.test.ts.
import { ServedReports } from '../../../appliance/uplink/served-reports.ts';
import { createSystemChance } from '../../../common/runtime/chance.ts';
import { createSystemClock } from '../../../common/runtime/clock.ts';
import { importPrivateKey } from '../../../common/runtime/keys.ts';
import { createSilentLog } from '../../../common/runtime/log.ts';

const [path = '', pem = '', url = ''] = process.argv.slice(2);
const reports = new ServedReports({
  path,
  key: importPrivateKey(pem, 'the argument'),
  send: async (jws, signal) => {
    const answer = await fetch(url, { method: 'POST', body: jws, signal });
    return (await answer.json()) as { outcome: 'taken'; sequence: number };
  },
  clock: createSystemClock(),
  chance: createSystemChance(),
  log: createSilentLog(),
});
await reports.open();
void reports.run(new AbortController().signal);
for (;;) {
  reports.add('a'.repeat(64), 'play', 1);
  reports.add('b'.repeat(64), 'fill', 1);
  await reports.keep();
  process.send?.('kept');
}
