import { ObjectId } from '../../../common/contract/primitives.ts';
import { Viewer } from '../../../common/contract/release.ts';
import { Type } from '../../../common/contract/type.ts';
import { defineInterface, type Calls } from '../../apart/interface.ts';
import type { WatchedTitle } from './core/judge-report.ts';

/** What users need of accounts. */
export const userAccounts = defineInterface({
  service: 'core',
  name: 'user-accounts',
  verbs: {
    exists: {
      ask: Type.Object({ accountId: Type.String({ maxLength: 200 }) }),
      answer: Type.Object({ exists: Type.Boolean() }),
      isRepeatable: true,
    },
  },
});
export type UserAccounts = Calls<typeof userAccounts>;

const Hash = Type.String({ maxLength: 512 });
const Pin = Type.String({ maxLength: 64 });

/** Who keeps PINs as passwords are kept, and no more of them at a time than of both together. Errors: OVERLOADED. */
export const userPins = defineInterface({
  service: 'core',
  name: 'user-pins',
  verbs: {
    hash: { ask: Type.Object({ pin: Pin }), answer: Type.Object({ hash: Hash }), isRepeatable: true },
    check: {
      ask: Type.Object({ pin: Pin, hash: Type.Optional(Hash) }),
      answer: Type.Object({ isRight: Type.Boolean() }),
      isRepeatable: true,
    },
  },
});
export type UserPins = Calls<typeof userPins>;

/** As many as a profile may have rated. */
const titlesMax = 10_000;
const mebibyte = 1024 * 1024;

/** What users need of the catalog. */
export const userTitles = defineInterface({
  service: 'core',
  name: 'user-titles',
  verbs: {
    /** Those that there are, whatever their state, and that the viewer may have if one is named. */
    find: {
      ask: Type.Object({
        ids: Type.Array(ObjectId, { maxItems: titlesMax }),
        viewer: Type.Optional(Viewer),
      }),
      answer: Type.Object({
        titles: Type.Array(
          Type.Object({
            id: ObjectId,
            name: Type.String(),
            /** Absent until it is encoded. */
            durationMs: Type.Optional(Type.Integer({ minimum: 0 })),
          }),
        ),
      }),
      isRepeatable: true,
      askBytesMax: mebibyte,
      answerBytesMax: 16 * mebibyte,
    },
  },
});
export type UserTitles = Calls<typeof userTitles>;

/** Titles by their ids, as `UserTitles.find` gives them; nobody is asked for none. */
export async function titlesById(
  titles: UserTitles,
  ids: readonly string[],
  viewer?: Viewer,
): Promise<ReadonlyMap<string, WatchedTitle>> {
  if (ids.length === 0) return new Map();
  const found = await titles.find({ ids: [...new Set(ids)], ...(viewer && { viewer }) });
  return new Map(found.titles.map((title) => [title.id, title]));
}

/** What this service alone can write, so that it knows it again. */
export interface UnlockSeals {
  seal(purpose: string, text: string): string;
  isSeal(purpose: string, text: string, seal: string): boolean;
}
