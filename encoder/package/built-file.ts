import type { Bundle } from '../../common/contract/bundle.ts';
import { ChunkTreeBuilder, describeBytes } from '../../common/core/chunk-tree.ts';
import type { FileExtension } from '../../common/core/media-types.ts';
import { openOutput } from './output-file.ts';

type Role = Bundle['files'][number]['role'];

/** A file that is finished and named but not yet published. */
export interface BuiltFile {
  /** Its name: 64 hex digits. */
  file: string;
  ext: FileExtension;
  role: Role | 'picture' | 'bundle';
  sizeBytes: number;
  /** The chunk list, which its name is the hash of. */
  descriptor: Buffer;
  content: { kind: 'path'; path: string } | { kind: 'bytes'; bytes: Buffer };
}

const pieceLengthBytes = 256 * 1024;

interface Kind {
  ext: FileExtension;
  role: BuiltFile['role'];
}

/** Names a file that is on the disk, reading it once. */
export async function buildFromPath(path: string, kind: Kind & { signal: AbortSignal }): Promise<BuiltFile> {
  const { handle } = await openOutput(path);
  try {
    const builder = new ChunkTreeBuilder();
    // One buffer for the whole file: an encoder that is idle again is to be small again.
    const buffer = Buffer.alloc(pieceLengthBytes);
    for (;;) {
      kind.signal.throwIfAborted();
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, null);
      if (bytesRead === 0) break;
      builder.update(buffer.subarray(0, bytesRead));
    }
    const { tree, descriptor, file } = builder.finish();
    return {
      file,
      ext: kind.ext,
      role: kind.role,
      sizeBytes: tree.sizeBytes,
      descriptor,
      content: { kind: 'path', path },
    };
  } finally {
    await handle.close();
  }
}

/** Names a file that was made in memory. */
export function buildFromText(text: string, kind: Kind): BuiltFile {
  const bytes = Buffer.from(text);
  const { descriptor, file } = describeBytes(bytes);
  return { file, ...kind, sizeBytes: bytes.length, descriptor, content: { kind: 'bytes', bytes } };
}
