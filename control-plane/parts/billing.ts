import { openStripeProvider } from '../../common/adapters/payments/open.ts';
import type { PaymentProvider } from '../../common/adapters/payments/port.ts';
import { loop } from '../background.ts';
import type { ControlPlaneConfig } from '../config.ts';
import { readSecretLine } from '../secret-line.ts';
import { createWebhookPost } from '../services/billing/post-webhook.ts';
import { billingRoutes } from '../services/billing/routes.ts';
import { createBilling, type Billing } from '../services/billing/service.ts';
import { playbackBilling } from '../services/playback/interfaces.ts';
import type { Part, PartContext } from './part.ts';

/** Billing as a part of the core. */
export interface BillingPart extends Part {
  readonly billing: Billing;
  readonly close: () => Promise<void>;
}

/** Opens plans, subscriptions, invoices and payments. CONFIG_INVALID for a secret that cannot be read. */
export async function openBilling(context: PartContext): Promise<BillingPart> {
  const { config, stores, directory, clock, chance, log } = context;
  const provider = await openProvider(config);
  const { post, close } = createWebhookPost();
  const books = await stores.openBooks('billing');
  const billing = createBilling({ books, provider, post, clock, chance, log });
  directory.provide(playbackBilling, {
    entitlements: async ({ accountId }) => {
      const { isRequired, entitlements } = await billing.entitlements.of(accountId);
      return { isRequired, ...(entitlements && { entitlements }) };
    },
  });
  return {
    billing,
    components: [loop('billing', (signal) => billing.watch(signal))],
    routes: ({ app }) => {
      billingRoutes(app, { billing });
    },
    close,
  };
}

async function openProvider({ payments }: ControlPlaneConfig): Promise<PaymentProvider | undefined> {
  const { stripeKeyFile, stripeWebhookSecretFile, stripeUrl } = payments;
  if (stripeKeyFile === undefined || stripeWebhookSecretFile === undefined) return undefined;
  return openStripeProvider({
    key: await readSecretLine(stripeKeyFile, 'secret key'),
    webhookSecret: await readSecretLine(stripeWebhookSecretFile, 'secret'),
    url: stripeUrl,
  });
}
