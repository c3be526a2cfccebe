import type { BlobEntry } from '../../../common/adapters/blobs/port.ts';
import type { BackupView } from '../../../common/contract/backups.ts';

const pattern = /^(.*-)(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(\d{3})Z\.tar\.zst(\.sealed)?$/;

/** What the names of all backups of a process begin with: others may keep theirs in the same place. */
export function backupPrefix(services: readonly string[]): string {
  return services.includes('core') ? 'nearcast-' : `nearcast-${services.join('-')}-`;
}

/** The name of a backup's archive: whose it is, and the moment of which, in UTC and to the millisecond. */
export function backupName(prefix: string, takenAtMs: number, sealed: boolean): string {
  const time = new Date(takenAtMs).toISOString().replaceAll(/[-:.]/g, '');
  return `${prefix}${time}.tar.zst${sealed ? '.sealed' : ''}`;
}

/** What a stored archive is; undefined for other things that lie beside the backups. */
export function backupOf(
  prefix: string,
  { key, sizeBytes }: Pick<BlobEntry, 'key' | 'sizeBytes'>,
): BackupView | undefined {
  const [, of, year, month, day, hour, minute, second, ms, seal] = pattern.exec(key) ?? [];
  const takenAtMs = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}.${ms}Z`);
  if (of !== prefix || !Number.isFinite(takenAtMs)) return undefined;
  return { name: key, takenAtMs, sizeBytes, sealed: seal !== undefined };
}
