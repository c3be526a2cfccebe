import type { ApplianceConfig } from './config.ts';
import { BufferPool } from './store/buffer-pool.ts';

const bufferBytes = 256 * 1024;
const smallBufferBytes = 32 * 1024;
const idleBufferBytesMax = 16 * 2 ** 20;

/** The memory that a process reads into. */
export function createReadPool({ readBufferBytes }: Pick<ApplianceConfig, 'readBufferBytes'>): BufferPool {
  return new BufferPool({
    sizeBytes: bufferBytes,
    smallBytes: smallBufferBytes,
    budgetBytes: readBufferBytes,
    idleBytesMax: idleBufferBytesMax,
  });
}
