import type { FillReportView } from '../../common/contract/fill.ts';

type MissingFile = FillReportView['appliances'][number]['missing'][number];

/** Files of one title that are missing for one reason. */
export interface MissingGroup {
  readonly title: string;
  readonly why: string;
  readonly files: number;
}

/** Gathers missing files by title and reason, the most first: a title has a dozen files and mostly one reason. */
export function groupMissing(missing: readonly MissingFile[]): MissingGroup[] {
  const groups = new Map<string, MissingGroup>();
  for (const { title, why } of missing) {
    const key = `${title}\n${why}`;
    groups.set(key, { title, why, files: (groups.get(key)?.files ?? 0) + 1 });
  }
  return [...groups.values()].sort((a, b) => b.files - a.files);
}
