import type { TitleKind } from '../../../../common/contract/title-metadata.ts';
import { ok, refused, type Result } from '../../../../common/core/result.ts';

/** A title as part of others. */
export interface Member {
  readonly id: string;
  readonly kind: TitleKind;
  readonly parentId?: string | undefined;
}

const parentKinds: Readonly<Record<TitleKind, readonly TitleKind[]>> = {
  movie: [],
  series: [],
  season: ['series'],
  episode: ['season', 'series'],
  extra: ['movie', 'series', 'season', 'episode'],
};

/** Whether titles of this kind have no video of their own. */
export function holdsOthers(kind: TitleKind): boolean {
  return kind === 'series' || kind === 'season';
}

/**
 * Whether a title may be what it is to become among its relatives. Refuses TITLE_CYCLE where it would be part of itself, else
 * TITLE_PARENT_INVALID where its parent is none, is missing or is of a kind that does not hold it, or where it holds what its kind does not.
 */
export function checkFamily(
  member: Member,
  relatives: { find: (id: string) => Member | undefined; children: readonly Member[] },
): Result<undefined> {
  const { id, kind, parentId } = member;
  const allowed = parentKinds[kind];
  const wrong = (detail: string) => refused('TITLE_PARENT_INVALID', detail);
  const child = relatives.children.find((one) => !parentKinds[one.kind].includes(kind));
  if (parentId === undefined) {
    if (allowed.length > 0) return wrong(`${kind}: name the ${allowed.join(' or ')} that it is part of`);
  } else {
    for (let at: string | undefined = parentId; at !== undefined; at = relatives.find(at)?.parentId)
      if (at === id) return refused('TITLE_CYCLE', `${parentId} is itself part of ${id}`);
    const parent = relatives.find(parentId);
    if (parent === undefined) return wrong(`there is no title ${parentId}`);
    if (!allowed.includes(parent.kind))
      return wrong(`${parentId} is of kind ${parent.kind}, which holds nothing of kind ${kind}`);
  }
  if (child !== undefined) return wrong(`${child.id}, of kind ${child.kind}, is part of it`);
  return ok(undefined);
}
