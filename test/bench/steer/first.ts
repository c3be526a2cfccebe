// `first.ts FOLDER`: a steering node's first start with the map of a folder: it merges all tables, and leaves on its disk what spares the next
// start that. Prints as JSON what it took.
import { startWithMap } from './start.ts';

const { loader, loadSeconds, rssMiB } = await startWithMap(process.argv[2] ?? '');
await loader.write();
await loader.close();
process.stdout.write(`${JSON.stringify({ loadSeconds, rssMiB })}\n`);
