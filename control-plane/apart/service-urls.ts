import { coded } from '../../common/runtime/errors.ts';
import { serviceNames, type ServiceName } from './interface.ts';

/** What the gateway sends to each service that does not run with it. */
const prefixes: Readonly<Record<Exclude<ServiceName, 'core'>, readonly string[]>> = {
  search: ['/v1/search'],
  playback: ['/v1/playback', '/v1/playback-sessions'],
  users: ['/v1/profiles', '/avatars'],
  events: ['/v1/events', '/v1/reports/qoe', '/v1/reports/rows'],
  recommendations: ['/v1/rows', '/v1/recommendation-models'],
  billing: [
    ...['/v1/plans', '/v1/coupons', '/v1/taxes', '/v1/entitlements', '/v1/subscriptions', '/v1/sign-ups'],
    ...['/v1/invoices', '/v1/payments', '/v1/payment-methods', '/v1/collections', '/v1/provider-notices'],
    ...['/v1/webhooks', '/v1/usage', '/v1/issuer', '/v1/ledger', '/v1/reports/revenue'],
  ],
};

/** Whether the gateway sends a path to a service. */
export function isServedBy(service: Exclude<ServiceName, 'core'>, path: string): boolean {
  return prefixes[service].some((prefix) => path === prefix || path.startsWith(`${prefix}/`));
}

/** Reads `search=http://10.0.0.5:7081`. Throws CONFIG_INVALID for what is none, and for a service that comes twice. */
export function parseServiceUrls(texts: readonly string[]): ReadonlyMap<ServiceName, string> {
  const urls = new Map<ServiceName, string>();
  for (const text of texts) {
    const [, name = '', url = ''] = /^([a-z-]+)=(https?:\/\/[^\s/?#=]+)$/.exec(text) ?? [];
    const service = serviceNames.find((one) => one === name);
    if (service === undefined || !URL.canParse(url))
      throw coded('CONFIG_INVALID', `--service-urls: ${text} is not like search=http://10.0.0.5:7081`);
    if (urls.has(service)) throw coded('CONFIG_INVALID', `--service-urls: ${service} runs in one process`);
    urls.set(service, url);
  }
  return urls;
}

/** What the gateway forwards, as its upstreams: the prefixes of all services that are not `here`. CONFIG_INVALID without a URL. */
export function upstreamsOf(here: readonly ServiceName[], urls: ReadonlyMap<ServiceName, string>): string[] {
  return Object.entries(prefixes).flatMap(([name, those]) => {
    const service = name as ServiceName;
    if (here.includes(service)) return [];
    const url = urls.get(service);
    if (url === undefined)
      throw coded(
        'CONFIG_INVALID',
        `--services leaves out ${service}, and --service-urls does not say where it runs`,
      );
    return those.map((prefix) => `${prefix}=${url}`);
  });
}
