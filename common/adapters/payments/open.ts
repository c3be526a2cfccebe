import type { PaymentProvider } from './port.ts';
import type { StripeOptions } from './stripe-options.ts';

/** Opens Stripe as the provider; connects when first asked. */
export async function openStripeProvider(options: StripeOptions): Promise<PaymentProvider> {
  const { createStripeProvider } = await import('./stripe.ts');
  return createStripeProvider(options);
}
