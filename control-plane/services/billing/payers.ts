import type { PaymentProvider, ProviderNotice } from '../../../common/adapters/payments/port.ts';
import type { PaymentMethodView } from '../../../common/contract/billing.ts';
import type { Static } from '../../../common/contract/type.ts';
import { coded } from '../../../common/runtime/errors.ts';
import type { Batch } from './batch.ts';
import type { Desk } from './desk.ts';
import type { Erased } from './erased.ts';
import type { BillingRecords } from './records.ts';

/** Accounts as the payment provider knows them. */
export interface Payers {
  /** Address of a page on which a person says how to pay. Errors: PAYMENTS_OFF, ACCOUNT_UNKNOWN (it was removed), those of the provider. */
  page(account: string, returnUrl: string): Promise<string>;
  /** Makes an account known to the provider, where there is one. Errors: ACCOUNT_UNKNOWN (it was removed), those of the provider. */
  enrol(account: string): Promise<void>;
  /** By what an account pays. Errors: PAYMENTS_OFF, PAYMENT_METHOD_MISSING. */
  means(account: string): Promise<{ provider: PaymentProvider; customer: string; method: string }>;
  view(account: string): Promise<Static<typeof PaymentMethodView>>;
  /** Passes a notice about an account's own customer, or one that was forgotten; WEBHOOK_FOREIGN for another's. */
  check(account: string, customer: string): Promise<void>;
  /** A person has said how to pay: false where a later word is known. */
  learn(batch: Batch, notice: ProviderNotice & { kind: 'method' }): Promise<boolean>;
  /** A way of paying is gone. */
  lose(batch: Batch, notice: ProviderNotice & { kind: 'method-gone' }): Promise<void>;
  /** Forgets an account, at the provider first. */
  erase(account: string): Promise<void>;
}

interface PayersOptions {
  records: BillingRecords;
  desk: Desk;
  provider: PaymentProvider | undefined;
  erased: Pick<Erased, 'has' | 'refuse'>;
}

/** Opens the payers; without a provider there are none. */
export function openPayers(options: PayersOptions): Payers {
  const { records, desk, provider } = options;
  const { payers, payerOf } = records;
  const customerOf = customersBy(options);
  const check = (account: string, customer: string) => checkCustomer(records, account, customer);
  return {
    check,
    async page(account, returnUrl) {
      if (provider === undefined) throw coded('PAYMENTS_OFF', 'payments are recorded by hand');
      return provider.setupPage({ customer: await customerOf(account), account, returnUrl });
    },
    async enrol(account) {
      if (provider !== undefined) await customerOf(account);
    },
    async means(account) {
      if (provider === undefined) throw coded('PAYMENTS_OFF', 'payments are recorded by hand');
      const { customer, method } = (await payers.get(account))?.value ?? {};
      if (customer === undefined || method === undefined) throw coded('PAYMENT_METHOD_MISSING', account);
      return { provider, customer, method };
    },
    async view(account) {
      const known = (await payers.get(account))?.value;
      const hasMethod = known?.method !== undefined;
      return { account, hasMethod, ...(provider !== undefined && { provider: provider.name }) };
    },
    async learn(batch, { account, customer, method, atMs }) {
      await check(account, customer);
      const known = (await payers.get(account))?.value;
      if (known === undefined) throw coded('WEBHOOK_FOREIGN', `${account} is no account that pays here`);
      if ((known.methodAtMs ?? 0) > atMs) return false;
      batch.change(payers.putOperation(account, { customer, method, methodAtMs: atMs }));
      return true;
    },
    async lose(batch, { customer, method }) {
      const account = (await payerOf.get(customer))?.value.id ?? '';
      const known = account === '' ? undefined : (await payers.get(account))?.value;
      if (known?.method !== method) return;
      const { method: _gone, ...rest } = known;
      batch.change(payers.putOperation(account, rest));
    },
    async erase(account) {
      const known = (await payers.get(account))?.value;
      if (known === undefined) return;
      await provider?.removeCustomer(known.customer);
      await desk.book(async (batch) => {
        batch.change(payers.removeOperation(account), payerOf.removeOperation(known.customer));
      });
    },
  };
}

async function checkCustomer({ payers }: BillingRecords, account: string, customer: string): Promise<void> {
  const known = (await payers.get(account))?.value;
  if (known !== undefined && known.customer !== customer)
    throw coded('WEBHOOK_FOREIGN', `${customer || 'nobody'} is not the customer of ${account}`);
}

/** The provider's id of an account, which is made where there is none yet. */
function customersBy({
  records: { payers, payerOf },
  desk,
  provider,
  erased,
}: PayersOptions): (account: string) => Promise<string> {
  return async (account: string): Promise<string> => {
    const known = (await payers.get(account))?.value.customer;
    if (known !== undefined) return known;
    if (provider === undefined) throw coded('PAYMENTS_OFF', 'payments are recorded by hand');
    await erased.refuse(account);
    const customer = await provider.createCustomer(account);
    const kept = await desk.book(async (batch) => {
      if (await erased.has(account)) return undefined;
      const raced = (await payers.get(account))?.value.customer;
      if (raced !== undefined) return raced;
      batch.change(
        payers.putOperation(account, { customer }),
        payerOf.putOperation(customer, { id: account }),
      );
      return customer;
    });
    if (kept !== undefined) return kept;
    // Erased in between.
    await provider.removeCustomer(customer);
    throw coded('ACCOUNT_UNKNOWN', 'it was removed');
  };
}
