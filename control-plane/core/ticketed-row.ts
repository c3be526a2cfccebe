import type { RowKind } from '../../common/contract/rows.ts';

/** What a row was, as its ticket proves it: its titles in their order, and how likely each was to stand where it stood. */
export interface TicketedRow {
  readonly row: RowKind;
  /** The model that had a say. */
  readonly model?: string | undefined;
  readonly titles: readonly { readonly titleId: string; readonly propensity: number }[];
}
