// Begins to write a blob, says so and never ends: for its test to kill.
import { pathToFileURL } from 'node:url';
import { openBlobs } from '../../../../common/adapters/blobs/open.ts';

const blobs = await openBlobs(pathToFileURL(process.argv[2] ?? '').href);

async function* endless(): AsyncGenerator<Uint8Array, void, undefined> {
  yield Buffer.alloc(100_000);
  process.stdout.write('writing\n');
  await new Promise((resolve) => setTimeout(resolve, 60_000));
}

await blobs.write('half', endless());
