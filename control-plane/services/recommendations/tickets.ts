import { ObjectId, TimeMs } from '../../../common/contract/primitives.ts';
import { RowKind, rowTitlesMax, type Row } from '../../../common/contract/rows.ts';
import { Type, type Static } from '../../../common/contract/type.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { matches } from '../../../common/runtime/parse.ts';
import type { TicketedRow } from '../../core/ticketed-row.ts';
import type { Seals } from '../seals.ts';

/** Propensities in millionths: whole numbers are the same text everywhere. */
const millionths = 1_000_000;

const TicketText = Type.Object({
  row: RowKind,
  model: Type.Optional(ObjectId),
  atMs: TimeMs,
  titles: Type.Array(Type.Tuple([ObjectId, Type.Integer({ minimum: 1, maximum: millionths })]), {
    maxItems: rowTitlesMax,
  }),
});
type TicketText = Static<typeof TicketText>;

/** Writes tickets of rows, and reads them again. */
export interface RowTickets {
  write(row: Pick<Row, 'kind' | 'titles'>, model: string | undefined): string;
  /** Undefined for what was not written here, or is older than a day. */
  read(ticket: string): TicketedRow | undefined;
}

const purpose = 'row-ticket';
const lifeMs = 86_400_000;

/** Opens the tickets. */
export function createRowTickets({ seals, clock }: { seals: Seals; clock: Clock }): RowTickets {
  return {
    write({ kind, titles }, model) {
      const text: TicketText = {
        ...{ row: kind, atMs: clock.nowMs() },
        ...(model !== undefined && { model }),
        titles: titles.map(({ titleId, propensity }) => [
          titleId,
          Math.max(1, Math.round(propensity * millionths)),
        ]),
      };
      const body = Buffer.from(JSON.stringify(text)).toString('base64url');
      return `${body}.${seals.seal(purpose, body)}`;
    },
    read(ticket) {
      const [body = '', seal = ''] = ticket.split('.');
      if (!seals.isSeal(purpose, body, seal)) return undefined;
      const text: unknown = JSON.parse(Buffer.from(body, 'base64url').toString());
      if (!matches(TicketText, text) || clock.nowMs() - text.atMs > lifeMs) return undefined;
      const { row, model, titles } = text;
      return {
        ...{ row, model },
        titles: titles.map(([titleId, share]) => ({ titleId, propensity: share / millionths })),
      };
    },
  };
}
