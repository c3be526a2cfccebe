import type { BlobEntry } from '../../../common/adapters/blobs/port.ts';
import type { BackupView } from '../../../common/contract/backups.ts';

const pattern =
  /^nearcast-((?:[a-z]+-)*)(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(\d{3})Z\.tar\.zst(\.sealed)?$/;

/** What the names of all backups begin with, whoever's they are. */
export const backupPrefix = 'nearcast-';

/** Whose backups these are, in whatever order the services were named: nobody's in particular where the core is among them. */
function seriesOf(services: readonly string[]): string {
  return services.includes('core')
    ? ''
    : services
        .toSorted()
        .map((service) => `${service}-`)
        .join('');
}

/** The name of a backup's archive: which services', and the moment of which, in UTC and to the millisecond. */
export function backupName(services: readonly string[], takenAtMs: number, sealed: boolean): string {
  const time = new Date(takenAtMs).toISOString().replaceAll(/[-:.]/g, '');
  return `${backupPrefix}${seriesOf(services)}${time}.tar.zst${sealed ? '.sealed' : ''}`;
}

/** What a stored archive is; undefined for those of other services, and for other things that lie beside the backups. */
export function backupOf(
  services: readonly string[],
  { key, sizeBytes }: Pick<BlobEntry, 'key' | 'sizeBytes'>,
): BackupView | undefined {
  const [, of = '', year, month, day, hour, minute, second, ms, seal] = pattern.exec(key) ?? [];
  const takenAtMs = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}.${ms}Z`);
  // Names once had the services in the order in which they were told.
  const named = of.split('-').filter((service) => service !== '');
  if (seriesOf(named) !== seriesOf(services) || !Number.isFinite(takenAtMs)) return undefined;
  return { name: key, takenAtMs, sizeBytes, sealed: seal !== undefined };
}
