import { assert } from '../../common/runtime/errors.ts';

/** A file and its bytes. */
export type SizedFile = readonly [file: string, sizeBytes: number];

const nameBytes = 32;
const rowBytes = nameBytes + 8;
/** So many go into one message of a channel. */
export const packedFilesMax = 20_000;
const lengthMax = 4 * Math.ceil((packedFilesMax * rowBytes) / 3);

/**
 * Files as one text for a channel of JSON: Base64 of 32 bytes for each name and 8 for its size. A hundred thousand names one by one
 * take a channel a second to write, check and read.
 */
export function packFiles(files: readonly SizedFile[]): string {
  const packed = Buffer.allocUnsafe(files.length * rowBytes);
  let at = 0;
  for (const [file, sizeBytes] of files) {
    packed.write(file, at, nameBytes, 'hex');
    at = packed.writeDoubleLE(sizeBytes, at + nameBytes);
  }
  return packed.toString('base64');
}

/**
 * The files in such a text; what is left of one that is cut short is left out.
 *
 * @throws where it is longer than any message.
 */
export function unpackFiles(text: string): SizedFile[] {
  assert(text.length <= lengthMax, 'packed files are as many as fit a message');
  const packed = Buffer.from(text, 'base64');
  const files: SizedFile[] = [];
  for (let at = 0; at + rowBytes <= packed.length; at += rowBytes)
    files.push([packed.toString('hex', at, at + nameBytes), packed.readDoubleLE(at + nameBytes)]);
  return files;
}
