import { fileURLToPath } from 'node:url';
import { coded } from '../../runtime/errors.ts';
import type { Blobs } from './port.ts';

/**
 * Opens blobs by URL: `file:///absolute/directory`, or `s3://bucket/prefix?endpoint=https://…&region=…` with credentials
 * from the standard AWS environment. An engine is loaded when a URL first asks for it: the S3 client alone takes 35 MB.
 * Errors: CONFIG_INVALID for a URL that names no engine, and those of the port.
 */
export async function openBlobs(url: string): Promise<Blobs> {
  const parsed = URL.parse(url);
  if (parsed?.protocol === 'file:') {
    const { openDirectoryBlobs } = await import('./directory.ts');
    return await openDirectoryBlobs(fileURLToPath(parsed));
  }
  if (parsed?.protocol === 's3:') {
    const { openS3Blobs } = await import('./s3.ts');
    return await openS3Blobs(parsed);
  }
  throw coded('CONFIG_INVALID', 'blobs are opened by file:///absolute/directory or s3://bucket/prefix');
}
