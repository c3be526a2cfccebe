/** What routes are about: the first word of their path behind the version. */
export const scopeResources = [
  'access-tokens',
  'accounts',
  'api-tokens',
  'artwork',
  'audit',
  'backups',
  'collections',
  'coupons',
  'enrolment-codes',
  'entitlements',
  'events',
  'explain',
  'fill',
  'health-view',
  'history',
  'invoices',
  'issuer',
  'ledger',
  'maintenance',
  'metrics',
  'nodes',
  'oauth-clients',
  'pathways',
  'payment-methods',
  'payments',
  'plans',
  'playback-sessions',
  'profiles',
  'rank',
  'recommendation-models',
  'reports',
  'revocations',
  'routes',
  'rows',
  'search',
  'sessions',
  'sign-ups',
  'status',
  'subscriptions',
  'taxes',
  'titles',
  'uploads',
  'usage',
  'webhooks',
  'withdrawals',
] as const;

/** Every scope that a token may have: `read` and `write` for all resources, `titles:read` and the like for one. */
export const allScopes: readonly string[] = [
  'read',
  'write',
  ...scopeResources.flatMap((resource) => [`${resource}:read`, `${resource}:write`]),
];

/** The scope that a route needs, by its method and pattern: `GET /v1/titles/:id` is `titles:read`. */
export function scopeOfRoute(method: string, pattern: string): string {
  const [first = '', second = ''] = pattern.split('/').slice(1);
  const resource = /^v\d+$/.test(first) ? second : first;
  return `${resource}:${method === 'GET' || method === 'HEAD' ? 'read' : 'write'}`;
}

/** Whether scopes that were granted let a call through that needs `wanted`. Writing does not include reading. */
export function coversScope(granted: readonly string[], wanted: string): boolean {
  const [, verb = ''] = wanted.split(':');
  return granted.includes(wanted) || granted.includes(verb);
}

/** The scopes in a token's `scope`; those of OpenID Connect are in it too and let nothing through. */
export function parseScopes(text: string): string[] {
  return text.split(' ').filter((scope) => scope !== '');
}
