// Tries everything on a directory that it may only read, as nobody where it begins as root.
import { readBlobBytes, writeBlobBytes } from '../../../../common/adapters/blobs/bytes.ts';
import { openDirectoryBlobs } from '../../../../common/adapters/blobs/directory.ts';
import { isCoded } from '../../../../common/runtime/errors.ts';

if (process.getuid?.() === 0) {
  process.setgid?.(65534);
  process.setuid?.(65534);
}

const blobs = await openDirectoryBlobs(process.argv[2] ?? '');

async function tell(what: string, work: () => Promise<unknown>): Promise<void> {
  const result = await work().catch((error: unknown) => (isCoded(error) ? error.code : String(error)));
  process.stdout.write(`${what} ${String(result)}\n`);
}

await tell('read', () => readBlobBytes(blobs, 'a'));
await tell('write', () => writeBlobBytes({ blobs, key: 'b' }, Buffer.from('y')));
await tell('replace', () => writeBlobBytes({ blobs, key: 'a' }, Buffer.from('y')));
await tell('remove', () => blobs.remove('a'));
