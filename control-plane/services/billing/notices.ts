import type { PaymentProvider, ProviderNotice } from '../../../common/adapters/payments/port.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { coded } from '../../../common/runtime/errors.ts';
import type { Batch } from './batch.ts';
import type { Collecting } from './collecting.ts';
import type { Desk } from './desk.ts';
import type { Disputes } from './disputes.ts';
import type { Payers } from './payers.ts';
import { isPrepayment, type Prepayments } from './prepayments.ts';
import type { Refunds } from './refunds.ts';

/** What the payment provider tells by itself. */
export interface Notices {
  /**
   * Takes a notice, byte for byte as it came, once for its id. Errors: PAYMENTS_OFF, WEBHOOK_SIGNATURE_INVALID, WEBHOOK_STALE,
   * WEBHOOK_FOREIGN.
   */
  take(body: Buffer, signature: string): Promise<void>;
}

/** Opens the intake. */
export function openNotices(options: {
  desk: Desk;
  provider: PaymentProvider | undefined;
  payers: Payers;
  collecting: Collecting;
  prepayments: Prepayments;
  refunds: Refunds;
  disputes: Disputes;
  clock: Clock;
}): Notices {
  const { desk, provider, payers, collecting, prepayments, refunds, disputes, clock } = options;
  const decide = async (batch: Batch, notice: ProviderNotice): Promise<void> => {
    switch (notice.kind) {
      case 'charge':
        if (isPrepayment(notice.asked.invoice)) return prepayments.hear(batch, notice);
        await payers.check(notice.asked.account, notice.customer);
        return collecting.hear(batch, notice);
      case 'refund':
        await refunds.hear(batch, notice);
        return;
      case 'dispute':
        await disputes.hear(batch, notice);
        return;
      case 'method':
        if (await payers.learn(batch, notice)) await collecting.retryAll(batch, notice.account);
        return;
      case 'method-gone':
        await payers.lose(batch, notice);
    }
  };
  return {
    async take(body, signature) {
      if (provider === undefined) throw coded('PAYMENTS_OFF', 'payments are recorded by hand');
      const notice = provider.readNotice(body, signature, clock.nowMs());
      if (notice === undefined) return;
      const ask = { caller: `provider:${provider.name}`, key: notice.id, request: notice.kind };
      await desk.once(ask, async (batch) => {
        await decide(batch, notice);
        return {};
      });
    },
  };
}
