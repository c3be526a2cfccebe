/** Holds a data directory until it is killed: `node lock-holder.ts DIRECTORY`. */
import { openDataDir } from '../../../../common/runtime/data-dir.ts';

const [path = ''] = process.argv.slice(2);
await openDataDir({ path, kind: 'test', formatVersion: 1 });
process.stdout.write('held\n');
setInterval(() => undefined, 1000);
