import { resolve } from 'node:path';
import { Type, type Static } from '../common/contract/type.ts';
import { BaseUrl, DomainName, Fraction } from '../common/contract/primitives.ts';
import { Place } from '../common/contract/documents.ts';
import type { Prefix } from '../common/core/ip-address.ts';
import { configHelp, loadConfig } from '../common/runtime/config.ts';
import { coded } from '../common/runtime/errors.ts';
import {
  enrolmentOptions,
  insecurePublicOption,
  logOptions,
  refusePublic,
} from '../common/runtime/node-options.ts';
import { rankKeys } from './core/rank-keys.ts';
import { parseProxy } from '../common/runtime/client-address.ts';

const prefix = 'NEARCAST_STEERING';

const Port = (fallback: number, description: string) =>
  Type.Integer({ default: fallback, minimum: 0, maximum: 65_535, description });
const Seconds = (fallback: number, description: string) =>
  Type.Integer({ default: fallback, minimum: 1, maximum: 86_400, description });
const Milliseconds = (fallback: number, description: string) =>
  Type.Integer({ default: fallback, minimum: 50, maximum: 60_000, description });
/** Everything that can be configured; each key is also a flag and an environment variable. */
export const SteeringSchema = Type.Object({
  dataDir: Type.String({ default: 'nearcast-data/steering', description: 'Identity and the last map' }),
  controlUrl: Type.String({
    ...BaseUrl,
    default: 'http://127.0.0.1:7070',
    description: 'The control plane, which makes the map',
  }),
  ...enrolmentOptions,
  host: Type.String({ default: '127.0.0.1', description: 'Address to listen on for HTTP' }),
  port: Port(7071, 'Port for HTTP; 0 picks one'),
  insecurePublic: insecurePublicOption,
  publicUrl: Type.Optional({ ...BaseUrl, description: 'How players reach this; the host that they name' }),
  peerUrl: Type.Optional({
    ...BaseUrl,
    description: 'How boxes and other steering nodes reach this; --public-url, else the address listened on',
  }),
  trustedProxies: Type.Array(Type.String(), {
    default: [],
    maxItems: 64,
    description: 'Addresses and prefixes whose X-Forwarded-For is believed',
  }),
  dns: Type.Boolean({ default: true, description: 'Answer DNS' }),
  dnsHost: Type.String({ default: '127.0.0.1', description: 'Address to listen on for DNS' }),
  dnsPort: Port(7053, 'Port for DNS, UDP and TCP; 0 picks one'),
  zone: { ...DomainName, default: 'steer.nearcast.test', description: 'Zone that DNS is the authority for' },
  steeredNames: Type.Array(DomainName, {
    default: ['play'],
    maxItems: 64,
    description: 'Names under the zone that lead to the best boxes',
  }),
  nameServers: Type.Array(DomainName, {
    default: [],
    maxItems: 16,
    description: 'The zone’s servers; ns1.<zone>',
  }),
  nameServerAddresses: Type.Array(Type.String(), {
    default: [],
    maxItems: 16,
    description: 'Addresses of the servers that are under the zone; the one that DNS listens on',
  }),
  certificateIssuers: Type.Array(DomainName, {
    default: [],
    maxItems: 16,
    description: 'Who alone may issue certificates for names of the zone (CAA); anybody where there is none',
  }),
  dnsRepliesPerSecond: Type.Integer({
    default: 1000,
    minimum: 1,
    maximum: 10_000_000,
    description:
      'UDP replies of one kind a second to one network (/24, /56); half of the others truncated, half dropped',
  }),
  ttlHealthyS: Seconds(300, 'TTL of content steering while all is well'),
  ttlIncidentMinS: Seconds(10, 'Least TTL in an incident'),
  ttlIncidentMaxS: Seconds(30, 'Largest TTL in an incident; players are spread between the two'),
  dnsTtlHealthyS: Seconds(30, 'TTL of steered DNS names while all is well'),
  dnsTtlIncidentS: Seconds(5, 'The same in an incident'),
  incidentMs: Type.Integer({
    default: 60_000,
    minimum: 0,
    maximum: 86_400_000,
    description: 'How long after a box has changed its health an incident lasts',
  }),
  probeIntervalMs: Milliseconds(1000, 'From one probe of a box to the next'),
  probeRecheckMs: Milliseconds(200, 'The same while an outcome is in doubt'),
  probeTimeoutMs: Milliseconds(1000, 'How long a box may take to answer a probe'),
  probesMax: Type.Integer({ default: 256, minimum: 1, maximum: 4096, description: 'Probes at one time' }),
  probesPerSecondMax: Type.Integer({
    default: 500,
    minimum: 1,
    maximum: 10_000,
    description: 'Probes in a second; with more boxes each is probed less often',
  }),
  headroomMin: {
    ...Fraction,
    default: 0.05,
    description: 'Boxes with less free capacity get no new viewers',
  },
  waysMax: Type.Integer({
    default: 4,
    minimum: 2,
    maximum: 8,
    description: 'Ways in an answer, origin included',
  }),
  rankOrder: Type.Array(Type.Union(rankKeys.map((key) => Type.Literal(key))), {
    default: [...rankKeys],
    uniqueItems: true,
    description: 'Keys that boxes are compared by, most important first',
  }),
  historyHours: Type.Integer({
    default: 48,
    minimum: 1,
    maximum: 24 * 31,
    description: 'How long maps, health and sampled decisions are kept, in at most 2 GiB',
  }),
  geoFile: Type.Optional(
    Type.String({ description: 'MaxMind database (.mmdb) of places, for clients that no route reaches' }),
  ),
  placeUnknown: Type.Optional(
    Type.Unsafe<Static<typeof Place>>({
      type: 'object',
      required: ['latitude', 'longitude'],
      additionalProperties: false,
      allOf: [Place],
      description:
        'JSON {"latitude", "longitude"}: where clients are taken to be that no route reaches and whose place is not known',
    }),
  ),
  log: logOptions,
});

/** The configuration with everything that depends on something else filled in. */
export type SteeringConfig = Omit<Static<typeof SteeringSchema>, 'trustedProxies'> & {
  readonly trustedProxies: readonly Prefix[];
};

/**
 * Reads the configuration: defaults < file < environment < flags.
 *
 * @throws CONFIG_INVALID, also for a public address without `--insecure-public`.
 */
export function readConfig(argv: readonly string[], env: NodeJS.ProcessEnv): SteeringConfig {
  const config = loadConfig({ schema: SteeringSchema, prefix, argv, env });
  refusePublic(config);
  if (config.ttlIncidentMaxS < config.ttlIncidentMinS) {
    throw coded('CONFIG_INVALID', '--ttl-incident-max-s is less than --ttl-incident-min-s');
  }
  const trustedProxies = config.trustedProxies.map((text) => {
    const proxy = parseProxy(text);
    if (proxy === undefined)
      throw coded('CONFIG_INVALID', `--trusted-proxies: ${text} is no address or prefix`);
    return proxy;
  });
  const nameServers = config.nameServers.length > 0 ? config.nameServers : [`ns1.${config.zone}`];
  const nameServerAddresses =
    config.nameServerAddresses.length > 0 ? config.nameServerAddresses : [config.dnsHost];
  const publicUrl = config.publicUrl?.replace(/\/$/, '');
  return {
    ...config,
    dataDir: resolve(config.dataDir),
    trustedProxies,
    nameServers,
    nameServerAddresses,
    ...(publicUrl !== undefined && { publicUrl }),
  };
}

/** The options as lines of help. */
export function steeringHelp(): string {
  return `nearcast steering [options]\n\n${configHelp(SteeringSchema, prefix)}\n`;
}
