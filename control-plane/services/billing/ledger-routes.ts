import {
  BooksProofView,
  LedgerBalanceList,
  LedgerTransactionList,
} from '../../../common/contract/billing.ts';
import { Type } from '../../../common/contract/type.ts';
import type { App } from '../../../common/runtime/http-app.ts';
import type { Billing } from './service.ts';

const tags = ['billing'];
const operators = ['operator', 'admin'] as const;
const Limit = Type.Integer({ default: 100, minimum: 1, maximum: 1000 });

/** Routes of the ledger: what its accounts have, its transactions, and the proof of all of the books. */
export function ledgerRoutes(app: App, billing: Billing): void {
  balanceRoute(app, billing);
  transactionRoute(app, billing);
  verifyRoute(app, billing);
}

function balanceRoute(app: App, { ledger }: Billing): void {
  app.get(
    '/v1/ledger/balances',
    {
      config: { credential: operators },
      schema: {
        summary: 'What the accounts of the ledger have, by name; those of one with `account`',
        tags,
        querystring: Type.Object(
          {
            account: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })),
            after: Type.Optional(Type.String({ maxLength: 256 })),
            limit: Limit,
          },
          { additionalProperties: false },
        ),
        response: { 200: LedgerBalanceList },
      },
    },
    async ({ query }) => {
      const balances = [...(await ledger.balances(query))];
      const accounts = new Set(balances.map(({ account }) => account));
      const last = balances.at(-1)?.account;
      const isFull = query.account === undefined && accounts.size === query.limit;
      return { balances, ...(isFull && last !== undefined && { next: last }) };
    },
  );
}

function transactionRoute(app: App, { ledger }: Billing): void {
  app.get(
    '/v1/ledger/transactions',
    {
      config: { credential: operators },
      schema: {
        summary: 'The transactions of the ledger, or those of one of its accounts, in their order',
        tags,
        querystring: Type.Object(
          {
            account: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })),
            after: Type.Integer({ default: 0, minimum: 0 }),
            limit: Limit,
          },
          { additionalProperties: false },
        ),
        response: { 200: LedgerTransactionList },
      },
    },
    async ({ query }) => {
      const transactions = (await ledger.transactions(query)).map((one) => ({
        ...one,
        entries: [...one.entries],
      }));
      const last = transactions.at(-1)?.sequence;
      return {
        transactions,
        ...(transactions.length === query.limit && last !== undefined && { next: last }),
      };
    },
  );
}

function verifyRoute(app: App, billing: Billing): void {
  app.get(
    '/v1/ledger/verify',
    {
      config: { credential: operators },
      schema: {
        summary:
          'Counts the books again: balances, numbers, chains of hashes, and the guards of the database',
        tags,
        response: { 200: BooksProofView },
      },
    },
    async () => {
      const proof = await billing.verify();
      return { ...proof, faults: [...proof.faults] };
    },
  );
}
