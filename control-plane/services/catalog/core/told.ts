import { createHash } from 'node:crypto';
import type { TitleMetadata } from '../../../../common/contract/title-metadata.ts';

/** What an import told of a title, by field a hash of it. */
export type Told = Readonly<Record<string, string>>;

const hashLength = 12;

/** Hashes of what an import tells, by field; what is undefined is not told. */
export function toldOf(fields: object): Told {
  const told: [string, string][] = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([field, value]) => [field, hashOf(value)]);
  return Object.fromEntries(told);
}

/**
 * A title's metadata after an import tells of it, and what it has been told then. Only what is told for the first time or otherwise
 * than before changes anything: so what somebody has edited since is not undone by the same file. External ids are added.
 */
export function tell(
  before: TitleMetadata,
  { fields, told = {} }: { fields: Partial<TitleMetadata>; told?: Told | undefined },
): { readonly after: TitleMetadata; readonly told: Told } {
  const { externalIds = [], ...rest } = fields;
  const now = toldOf(rest);
  const news = Object.keys(now).filter((field) => told[field] !== now[field]);
  const held = before.externalIds ?? [];
  const added = externalIds.filter((id) => !held.includes(id));
  if (news.length === 0 && added.length === 0) return { after: before, told };
  return {
    after: {
      ...before,
      ...Object.fromEntries(news.map((field) => [field, rest[field as keyof typeof rest]])),
      ...(added.length > 0 && { externalIds: [...held, ...new Set(added)] }),
    },
    told: { ...told, ...now },
  };
}

function hashOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('base64url').slice(0, hashLength);
}
