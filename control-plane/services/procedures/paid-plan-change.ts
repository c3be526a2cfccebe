import { PlanChangeRequest } from '../../../common/contract/billing.ts';
import type { PaidPlanChangeRequest } from '../../../common/contract/procedures.ts';
import { TimeMs } from '../../../common/contract/primitives.ts';
import { Type, type Static } from '../../../common/contract/type.ts';
import { parseAs } from '../../../common/runtime/parse.ts';
import type { Procedure } from './durable-steps.ts';
import type { ProcedureBilling } from './ports.ts';

const PlanChangeState = Type.Object({
  subscription: Type.String(),
  change: PlanChangeRequest,
  account: Type.String(),
  amount: Type.Integer({ minimum: 0 }),
  currency: Type.String(),
  /** When it was quoted: what is unused is counted from then on. */
  atMs: TimeMs,
  payment: Type.Optional(Type.String()),
});
type PlanChangeState = Static<typeof PlanChangeState>;

/** Another plan for what it costs now: the money comes first, as the account's credit, which the change uses up. */
export function paidPlanChange(billing: ProcedureBilling): Procedure<PlanChangeState> {
  return {
    name: 'paid-plan-change',
    parse: (state) => parseAs(PlanChangeState, state, { what: 'a change of plan', code: 'STORE_CORRUPT' }),
    steps: [
      {
        name: 'payment',
        do: async ({ account, amount, currency }, key) => {
          const payment = await billing.prepay({ account, amount, currency }, key);
          return payment === undefined ? {} : { payment };
        },
        undo: async ({ payment }, key) => {
          if (payment !== undefined) await billing.giveBack(payment, `${key}:undo`);
        },
      },
      {
        name: 'plan',
        do: async ({ subscription, change, atMs }, key) => {
          await billing.changePlan({ subscription, change, atMs }, key);
          return {};
        },
      },
    ],
    answer: ({ subscription, payment }) => ({ subscription, ...(payment !== undefined && { payment }) }),
    accountOf: ({ account }) => account,
  };
}

/** What a change of plan starts with. Errors: those of the change. */
export async function beginPlanChange(
  subscription: string,
  request: PaidPlanChangeRequest,
  billing: ProcedureBilling,
): Promise<PlanChangeState> {
  const change = { ...request, when: 'now' as const };
  return { subscription, change, ...(await billing.quote(subscription, change)) };
}
