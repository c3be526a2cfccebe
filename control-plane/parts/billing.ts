import { openStripeProvider } from '../../common/adapters/payments/open.ts';
import type { PaymentProvider } from '../../common/adapters/payments/port.ts';
import { loop } from '../background.ts';
import type { ControlPlaneConfig } from '../config.ts';
import { readSecretLine } from '../secret-line.ts';
import { createWebhookPost } from '../services/billing/post-webhook.ts';
import { playedEvents } from '../services/billing/played.ts';
import { billingRoutes } from '../services/billing/routes.ts';
import { createBilling } from '../services/billing/service.ts';
import { askForEventLog } from '../services/events/event-log.ts';
import { eventLog } from '../services/events/interfaces.ts';
import { answerPersonal, personalData } from '../services/personal-data.ts';
import { playbackBilling } from '../services/playback/interfaces.ts';
import { openProcedures } from '../services/procedures/durable-steps.ts';
import { paidPlanChange } from '../services/procedures/paid-plan-change.ts';
import { procedureAccounts, procedureProfiles } from '../services/procedures/ports.ts';
import { procedureRoutes } from '../services/procedures/routes.ts';
import { signUpProcedure } from '../services/procedures/sign-up.ts';
import type { Part, PartContext } from './part.ts';
import { procedureBilling } from './procedure-ports.ts';

/** Opens plans, subscriptions, invoices and payments, with what takes them and other services. CONFIG_INVALID for a secret that cannot be read. */
export async function openBillingPart(context: PartContext): Promise<Part> {
  const { config, stores, directory, clock, chance, log } = context;
  const provider = await openProvider(config);
  const { post, close } = createWebhookPost(config.webhooks);
  const books = await stores.openBooks('billing');
  const events = askForEventLog(directory.find(eventLog), playedEvents);
  const billing = createBilling({ books, provider, post, events, clock, chance, log });
  directory.provide(playbackBilling, {
    entitlements: async ({ accountId, session }) => {
      const { isRequired, entitlements } = await billing.entitlements.of(accountId);
      if (session !== undefined && entitlements !== undefined) await billing.played.begin(session, accountId);
      return { isRequired, ...(entitlements && { entitlements }) };
    },
  });
  const ports = {
    accounts: directory.find(procedureAccounts),
    profiles: directory.find(procedureProfiles),
    billing: procedureBilling(billing),
  };
  const procedures = openProcedures({
    records: await stores.open('procedures'),
    procedures: [signUpProcedure(ports), paidPlanChange(ports.billing)],
    ...{ clock, log },
  });
  directory.provide(personalData.billing, answerPersonal(billing.personal));
  directory.provide(personalData.procedures, answerPersonal(procedures.personal));
  return {
    components: [
      loop('billing', (signal) => billing.watch(signal)),
      loop('billing-usage', (signal) => billing.played.run(signal)),
      loop('procedures', (signal) => procedures.watch(signal)),
    ],
    routes: ({ app }) => {
      billingRoutes(app, { billing });
      procedureRoutes(app, { procedures, ports });
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
