import type { BlobEntry } from '../../../common/adapters/blobs/port.ts';
import type { BackupView } from '../../../common/contract/backups.ts';

/** What the names of all backups begin with. */
export const backupPrefix = 'nearcast-';
const pattern = /^nearcast-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(\d{3})Z\.tar\.zst(\.sealed)?$/;

/** The name of a backup's archive: the moment of which it is, in UTC and to the millisecond. */
export function backupName(takenAtMs: number, sealed: boolean): string {
  const time = new Date(takenAtMs).toISOString().replaceAll(/[-:.]/g, '');
  return `${backupPrefix}${time}.tar.zst${sealed ? '.sealed' : ''}`;
}

/** What a stored archive is; undefined for other things that lie beside the backups. */
export function backupOf({ key, sizeBytes }: Pick<BlobEntry, 'key' | 'sizeBytes'>): BackupView | undefined {
  const [, year, month, day, hour, minute, second, ms, seal] = pattern.exec(key) ?? [];
  const takenAtMs = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}.${ms}Z`);
  if (!Number.isFinite(takenAtMs)) return undefined;
  return { name: key, takenAtMs, sizeBytes, sealed: seal !== undefined };
}
