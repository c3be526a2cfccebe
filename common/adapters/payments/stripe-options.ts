/** How Stripe is reached. */
export interface StripeOptions {
  /** Secret key of the API: `sk_live_…`, `sk_test_…`, or a restricted one. */
  readonly key: string;
  /** What notices are signed by: `whsec_…`. */
  readonly webhookSecret: string;
  /** Base URL of the API. */
  readonly url: string;
}
