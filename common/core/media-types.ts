// A fixed table: what is not in it is not served, so no file can be given a type that a browser would run.
const mediaTypes = {
  mp4: 'video/mp4',
  m4a: 'audio/mp4',
  m3u8: 'application/vnd.apple.mpegurl',
  vtt: 'text/vtt; charset=utf-8',
  jpg: 'image/jpeg',
  png: 'image/png',
  webp: 'image/webp',
  avif: 'image/avif',
  json: 'application/json; charset=utf-8',
  chunks: 'application/vnd.nearcast.chunks',
} as const;

/** The extensions that a file may be asked for by. `chunks` asks for the file's descriptor. */
export type FileExtension = keyof typeof mediaTypes;

/** Whether the text is an extension of the table. */
export function isFileExtension(ext: string): ext is FileExtension {
  return Object.hasOwn(mediaTypes, ext);
}

/** The Content-Type of files with this extension. */
export function mediaTypeOf(ext: FileExtension): string {
  return mediaTypes[ext];
}
