import { join } from 'node:path';

/** The files of a holder in a directory. */
export function certificateFiles(dir: string): { readonly certFile: string; readonly keyFile: string } {
  return { certFile: join(dir, 'box.crt'), keyFile: join(dir, 'box.key') };
}
