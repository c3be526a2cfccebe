import { isFileExtension, type FileExtension } from './media-types.ts';

/** What a delivery URL's path asks for. */
export interface FilePath {
  /** The delivery token, unverified. */
  token: string;
  /** 64 lower-case hex digits. */
  file: string;
  ext: FileExtension;
}

const pattern = /^\/v1\/([A-Za-z0-9_-]{16,2048})\/([0-9a-f]{64})\.([a-z0-9]{2,6})$/;
const pathLengthMax = 2300;

/**
 * Reads `/v1/<token>/<file>.<ext>` (ADR 3). Only the exact form is taken: no percent-encoding, no dot segments,
 * no doubled slashes, so that there is nothing to traverse. A query is dropped (CMCD travels there).
 */
export function parseFilePath(target: string): FilePath | undefined {
  const end = target.indexOf('?');
  const path = end === -1 ? target : target.slice(0, end);
  if (path.length > pathLengthMax) return undefined;
  const match = pattern.exec(path);
  if (match === null) return undefined;
  const [, token, file, ext] = match;
  if (token === undefined || file === undefined || ext === undefined || !isFileExtension(ext))
    return undefined;
  return { token, file, ext };
}

/** The path at which a file is read with a token. */
export function filePath(token: string, file: string, ext: FileExtension): string {
  return `/v1/${token}/${file}.${ext}`;
}
