import type { TitleState } from '../../../common/contract/titles.ts';

/** What search has to know of a title. */
export interface SearchableTitle {
  readonly id: string;
  readonly name: string;
  readonly state: TitleState;
  readonly popularity: number;
}

/** Where titles are kept. */
export interface SearchableTitles {
  all(): SearchableTitle[];
  /** Undefined where there is none of this id. */
  find(id: string): SearchableTitle | undefined;
  /** Hears of each title that was added or changed. */
  onChange(listener: (id: string) => void): () => void;
}
