/** The blob that a file's bytes are. */
export function contentKey(file: string): string {
  return `files/${file}`;
}

/** The blob that a file's chunk list is. */
export function descriptorKey(file: string): string {
  return `files/${file}.chunks`;
}
