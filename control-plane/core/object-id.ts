const idLengthBytes = 12;

/** A new identifier: a prefix that says of what, and 96 random bits in base64url. */
export function newObjectId(
  prefix:
    | 'title'
    | 'artwork'
    | 'upload'
    | 'job'
    | 'withdraw'
    | 'mnt'
    | 'model'
    | 'sub'
    | 'inv'
    | 'cn'
    | 'pay'
    | 'evt'
    | 'run',
  chance: { bytes(length: number): Buffer },
): string {
  return `${prefix}_${chance.bytes(idLengthBytes).toString('base64url')}`;
}
