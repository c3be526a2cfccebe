import { refused, ok, type Result } from '../../common/core/result.ts';

/** A file in an archive. */
export interface TarEntry {
  readonly path: string;
  readonly sizeBytes: number;
  readonly modifiedMs: number;
}

/** The archive is made of blocks of this size; a file ends in zeros up to the next. */
export const tarBlockBytes = 512;
/** What stands behind the last file: two blocks of zeros. */
export const tarEnd: Buffer = Buffer.alloc(2 * tarBlockBytes);

const pathBytesMax = 99;
const checksumAt = 148;
const checksumBytes = 8;
const octalSizeMax = 8 ** 11 - 1;

/**
 * The header of a file that only its owner may read, in the format ustar (POSIX.1-2017, pax, "ustar Interchange Format"); sizes of 8 GiB and
 * more in base 256, as GNU tar writes and all read them. INVALID for a path that does not fit.
 */
export function tarHeader({ path, sizeBytes, modifiedMs }: TarEntry): Result<Buffer> {
  if (Buffer.byteLength(path) > pathBytesMax) return refused('INVALID', `${path}: too long a name for tar`);
  const header = Buffer.alloc(tarBlockBytes);
  header.write(path, 0);
  header.write(`${octal(0o600, 7)}\0${octal(0, 7)}\0${octal(0, 7)}\0`, 100, 'latin1');
  if (sizeBytes <= octalSizeMax) header.write(`${octal(sizeBytes, 11)}\0`, 124, 'latin1');
  else {
    header.writeUInt8(0x80, 124);
    header.writeBigUInt64BE(BigInt(sizeBytes), 128);
  }
  header.write(`${octal(Math.floor(modifiedMs / 1000), 11)}\0`, 136, 'latin1');
  header.write('0', 156, 'latin1');
  header.write('ustar\x0000', 257, 'latin1');
  header.write(`${octal(checksumOf(header), 6)}\0 `, checksumAt, 'latin1');
  return ok(header);
}

/** Reads a header; undefined for the block of zeros that ends an archive. STORE_CORRUPT for what is no header of a plain file. */
export function readTarHeader(block: Buffer): Result<TarEntry | undefined> {
  if (block.every((byte) => byte === 0)) return ok(undefined);
  const checksum = Number.parseInt(block.toString('latin1', checksumAt, checksumAt + 6), 8);
  if (block.length !== tarBlockBytes || checksum !== checksumOf(block) || block[156] !== 0x30)
    return refused('STORE_CORRUPT', 'the archive has something that is no file of a backup');
  const end = block.indexOf(0);
  const sizeBytes =
    block[124] === 0x80
      ? Number(block.readBigUInt64BE(128))
      : Number.parseInt(block.toString('latin1', 124, 135), 8);
  const modifiedMs = Number.parseInt(block.toString('latin1', 136, 147), 8) * 1000;
  if (!Number.isSafeInteger(sizeBytes) || !Number.isSafeInteger(modifiedMs))
    return refused('STORE_CORRUPT', 'the archive has a file of no readable size');
  return ok({ path: block.toString('utf8', 0, Math.min(end, 100)), sizeBytes, modifiedMs });
}

/** How many zeros stand behind a file of this size. */
export function tarPadding(sizeBytes: number): number {
  return (tarBlockBytes - (sizeBytes % tarBlockBytes)) % tarBlockBytes;
}

// The sum of all bytes, those of the checksum itself taken for spaces.
function checksumOf(header: Buffer): number {
  let sum = 0x20 * checksumBytes;
  for (const [at, byte] of header.entries())
    if (at < checksumAt || at >= checksumAt + checksumBytes) sum += byte;
  return sum;
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0');
}
