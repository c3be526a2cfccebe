import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Type, type Static } from '../common/contract/type.ts';
import { AccountRole, Email } from '../common/contract/accounts.ts';
import { DomainName, Fraction, SizeBytes, TimeZone } from '../common/contract/primitives.ts';
import { parseFillHours, type FillHours } from '../common/core/fill-hours.ts';
import { isTimeZone } from '../common/core/fill-window.ts';
import { parseAddress, parsePrefix } from '../common/core/ip-address.ts';
import { configHelp, loadConfig } from '../common/runtime/config.ts';
import { coded } from '../common/runtime/errors.ts';
import { insecurePublicOption, logOptions, refusePublic } from '../common/runtime/node-options.ts';
import { ServiceName, serviceNames } from './apart/interface.ts';
import type { Authority } from './services/certificates/service.ts';

const prefix = 'NEARCAST_CONTROL_PLANE';
const Url = Type.String({ pattern: '^https?://[^\\s/?#]+(/[^\\s?#]*)?$', maxLength: 512 });
const PerSecond = Type.Number({ minimum: 0.1, maximum: 1_000_000 });
const DurationMs = (minimum: number) => Type.Integer({ minimum, maximum: 2_592_000_000 });

/** Everything that can be configured; each key is also a flag and an environment variable. */
export const ControlPlaneSchema = Type.Object({
  dataDir: Type.String({ default: 'nearcast-data/control-plane', description: 'Records, keys and uploads' }),
  host: Type.String({ default: '127.0.0.1', description: 'Address to listen on' }),
  port: Type.Integer({
    default: 7070,
    minimum: 0,
    maximum: 65_535,
    description: 'Port to listen on; 0 picks one',
  }),
  listenFd: Type.Optional(
    Type.Integer({
      minimum: 3,
      maximum: 1023,
      description: 'Socket to listen on that systemd or another keeps, so that restarts leave no gap: 3',
    }),
  ),
  insecurePublic: insecurePublicOption,
  publicUrl: Type.Optional({
    ...Url,
    description: 'How players and nodes reach this; the address listened on',
  }),
  trustedProxies: Type.Array(Type.String(), {
    default: [],
    maxItems: 64,
    description: 'Addresses and prefixes whose X-Forwarded-For is believed',
  }),
  // Credentials are in headers or paths, never ambient: there is nothing for a page to ride on.
  corsOrigins: Type.Array(Type.String({ pattern: '^(\\*|https?://[^\\s/?#]+)$', maxLength: 256 }), {
    default: ['*'],
    maxItems: 64,
    description: 'Origins whose pages may call, * for any',
  }),
  steeringUrl: Type.Optional({ ...Url, description: 'How players and this process reach steering' }),
  blobsUrl: Type.Optional(Type.String({ description: 'Video storage; file://<dataDir>/blobs' })),
  ingestRoots: Type.Array(Type.String(), {
    default: [],
    maxItems: 64,
    description: 'Directories from which titles may be added by path',
  }),
  watchFolders: Type.Array(Type.String(), {
    default: [],
    maxItems: 16,
    description:
      'Directories whose videos become titles by themselves; ingest roots too. NAME=PATH lets one move on under its name',
  }),
  geoFile: Type.Optional(
    Type.String({ description: 'MaxMind database (.mmdb) of countries, for titles that only some may see' }),
  ),
  clientsDir: Type.Optional(Type.String({ description: 'Built player and console pages' })),
  services: Type.Array(ServiceName, {
    default: [...serviceNames],
    minItems: 1,
    maxItems: serviceNames.length,
    description: 'What runs in this process; all of it unless --service-urls says where the rest is',
  }),
  serviceUrls: Type.Array(Type.String({ maxLength: 512 }), {
    default: [],
    maxItems: serviceNames.length,
    description: 'Where services run that do not run here, as search=http://10.0.0.5:7081',
  }),
  serviceTokenFile: Type.Optional(
    Type.String({
      description: 'What services know one another by; the core writes it, <dataDir>/service.token',
    }),
  ),
  leaseMs: { ...DurationMs(100), default: 5000, description: 'A node silent for so long is lost' },
  log: logOptions,
  gateway: Type.Object({
    upstreams: Type.Array(Type.String({ maxLength: 512 }), {
      default: [],
      maxItems: 64,
      description:
        'Services that run elsewhere, as /v1/billing=http://10.0.0.5:7080; one prefix may have several',
    }),
    requestsMin: Type.Integer({
      default: 20,
      minimum: 1,
      maximum: 10_000,
      description: 'Requests that are worked on at a time however slow they are; more wait, then are refused',
    }),
    requestsMax: Type.Integer({
      default: 200,
      minimum: 1,
      maximum: 10_000,
      description: 'Requests that are worked on at a time while they are quick',
    }),
    playbackPerSecond: { ...PerSecond, default: 50, description: 'Requests of a viewer or session to play' },
    signInPerSecond: { ...PerSecond, default: 10, description: 'Requests of a client to sign in' },
    browsePerSecond: { ...PerSecond, default: 100, description: 'Requests of a client to browse' },
    backgroundPerSecond: { ...PerSecond, default: 100, description: 'Requests of a client that can wait' },
    burstSeconds: {
      ...PerSecond,
      default: 4,
      description: 'Seconds of each of these rates that may come at once',
    },
    addressPerSecond: {
      ...PerSecond,
      default: 1000,
      description: 'Requests of one IPv4 address or IPv6 /64, whoever stands behind it',
    },
  }),
  placement: Type.Object({
    reserveFraction: {
      ...Fraction,
      default: 0.05,
      description: 'Share of each disk that placement leaves free',
    },
    copiesMin: Type.Integer({
      default: 2,
      minimum: 1,
      maximum: 64,
      description: 'Copies that a cluster keeps of each title while there is room',
    }),
    liveCopiesMin: Type.Integer({
      default: 1,
      minimum: 0,
      maximum: 64,
      description:
        "A site's viewers can play a title that its boxes are to hold once so many copies stand there; 0: as soon as one stands anywhere",
    }),
    keepBonus: Type.Number({
      default: 0.5,
      minimum: 0,
      maximum: 10,
      description: 'How much more what is held counts than what is not',
    }),
    churnBytesPerDay: Type.Optional({
      ...SizeBytes,
      description:
        'Most that a box is newly told to hold within 24 hours, pinned and urgent titles aside; no limit',
    }),
    lostAfterMs: {
      ...DurationMs(0),
      default: 900_000,
      description: 'After so long what a lost appliance holds is placed elsewhere',
    },
  }),
  fill: Type.Object({
    tierWaitMs: {
      ...DurationMs(0),
      default: 2000,
      description: 'How long an appliance waits for a peer before it asks other sites',
    },
    originWaitMs: {
      ...DurationMs(0),
      default: 5000,
      description: 'How long it waits before it asks the origin',
    },
    capBytesPerSecond: Type.Optional({
      ...SizeBytes,
      description: 'Most that one appliance may fill with; no limit',
    }),
    window: Type.String({
      default: '02:00-14:00',
      description: 'When sites with a time zone fill, in their local time',
    }),
    jitterMinutes: Type.Integer({
      default: 120,
      minimum: 0,
      maximum: 240,
      description: 'By how much each site moves its window, so that not all begin at once',
    }),
    timeZone: Type.Optional({
      ...TimeZone,
      description: 'Time zone of sites that have none of their own; without it those fill at any time',
    }),
  }),
  auth: Type.Object({
    secondFactorRoles: Type.Array(AccountRole, {
      default: [],
      maxItems: 4,
      description: 'Roles that may do nothing unless codes of an authenticator are asked for at sign-in',
    }),
  }),
  mail: Type.Object({
    url: Type.Optional(
      Type.String({
        maxLength: 512,
        description:
          'Where letters go: file:///directory, smtps://user@host:465 or smtp://user@host:587; file://<dataDir>/mail',
      }),
    ),
    from: Type.Optional({ ...Email, description: 'Address that letters are from; a mail server needs one' }),
    passwordFile: Type.Optional(
      Type.String({ description: 'File (0600) with the password of the user at the mail server' }),
    ),
  }),
  search: Type.Object({
    url: Type.Optional(
      Type.String({
        pattern: '^https?://[^\\s?#]+$',
        maxLength: 512,
        description:
          'An OpenSearch server and what its indices are to be called: https://user@host:9200/nearcast; files in the data directory',
      }),
    ),
    passwordFile: Type.Optional(
      Type.String({ description: 'File (0600) with the password of the user at the search server' }),
    ),
    caFile: Type.Optional(
      Type.String({ description: "Certificates (PEM) that the search server is trusted by; the system's" }),
    ),
  }),
  audit: Type.Object({
    keepDays: Type.Integer({
      default: 400,
      minimum: 1,
      maximum: 36_500,
      description: 'How long the audit log keeps what was done',
    }),
  }),
  backup: Type.Object({
    url: Type.Optional(
      Type.String({
        maxLength: 512,
        description: 'Where backups are kept, a directory or S3; file://<dataDir>/backups',
      }),
    ),
    everyMs: Type.Optional({ ...DurationMs(60_000), description: 'How often one is made by itself; never' }),
    keep: Type.Integer({
      default: 7,
      minimum: 1,
      maximum: 365,
      description: 'How many are kept; older ones go when another was made',
    }),
    passphraseFile: Type.Optional(
      Type.String({ description: 'File (0600) with a passphrase by which backups are encrypted' }),
    ),
  }),
  payments: Type.Object({
    stripeKeyFile: Type.Optional(
      Type.String({
        description: 'File (0600) with a secret key of Stripe, by which invoices are paid; by hand without',
      }),
    ),
    stripeWebhookSecretFile: Type.Optional(
      Type.String({
        description: 'File (0600) with the secret that Stripe signs its notices by (whsec_…)',
      }),
    ),
    stripeUrl: { ...Url, default: 'https://api.stripe.com', description: "Where Stripe's API is" },
  }),
  webhooks: Type.Object({
    networks: Type.Array(Type.String(), {
      default: [],
      maxItems: 64,
      description: 'Networks that are not public to which webhooks may be sent, as 10.1.0.0/16',
    }),
  }),
  acme: Type.Object({
    directory: Type.Optional({
      ...Url,
      description: 'ACME directory of an authority that certifies boxes for their names under --acme-zone',
    }),
    zone: Type.Optional({ ...DomainName, description: "Steering's zone, as its --zone says" }),
    contact: Type.Optional(
      Type.String({
        pattern: '^[^\\s@,]+@[^\\s@,]+$',
        maxLength: 254,
        description: 'Mail address that the authority may write to',
      }),
    ),
    termsAgreed: Type.Boolean({
      default: false,
      description: "The authority's terms of service are agreed to",
    }),
  }),
  rotateKeys: Type.Boolean({
    default: false,
    description: 'Make new keys, sign them with the root key, and end',
  }),
  revokeKeys: Type.Array(Type.String(), {
    default: [],
    maxItems: 64,
    description: 'With --rotate-keys: key ids that are refused from now on',
  }),
});

/** The configuration with everything that depends on something else filled in. */
export type ControlPlaneConfig = Omit<Static<typeof ControlPlaneSchema>, 'serviceTokenFile'> & {
  readonly dataDir: string;
  readonly blobsUrl: string;
  readonly serviceTokenFile: string | undefined;
  readonly fill: { readonly hours: FillHours };
  readonly backup: { readonly url: string };
  readonly mail: { readonly url: string; readonly from: string };
};

/**
 * Reads the configuration: defaults < file < environment < flags.
 *
 * @throws CONFIG_INVALID, also for a public address without `--insecure-public` and keys to revoke without `--rotate-keys`.
 */
export function readConfig(argv: readonly string[], env: NodeJS.ProcessEnv): ControlPlaneConfig {
  const config = loadConfig({ schema: ControlPlaneSchema, prefix, argv, env });
  refusePublic(config);
  for (const proxy of config.trustedProxies) {
    if (parseAddress(proxy) === undefined && parsePrefix(proxy) === undefined)
      throw coded('CONFIG_INVALID', `--trusted-proxies: ${proxy} is no address or prefix`);
  }
  for (const network of config.webhooks.networks) {
    if (parsePrefix(network) === undefined)
      throw coded('CONFIG_INVALID', `--webhooks-networks: ${network} is no network like 10.1.0.0/16`);
  }
  if (config.revokeKeys.length > 0 && !config.rotateKeys) {
    throw coded('CONFIG_INVALID', '--revoke-keys does nothing without --rotate-keys');
  }
  const { requestsMin, requestsMax } = config.gateway;
  if (requestsMin > requestsMax)
    throw coded('CONFIG_INVALID', '--gateway-requests-min is above --gateway-requests-max');
  checkAcme(config);
  const { stripeKeyFile, stripeWebhookSecretFile } = config.payments;
  if ((stripeKeyFile === undefined) !== (stripeWebhookSecretFile === undefined))
    throw coded(
      'CONFIG_INVALID',
      '--payments-stripe-key-file and --payments-stripe-webhook-secret-file go together',
    );
  const hours = parseFillHours(config.fill.window);
  if (hours === undefined) {
    throw coded('CONFIG_INVALID', `--fill-window: ${config.fill.window} is not like 02:00-14:00`);
  }
  const { timeZone } = config.fill;
  if (timeZone !== undefined && !isTimeZone(timeZone))
    throw coded('CONFIG_INVALID', `--fill-time-zone: ${timeZone} is no time zone of the IANA database`);
  const dataDir = resolve(config.dataDir);
  const isApart = config.serviceUrls.length > 0 && config.services.includes('core');
  const serviceTokenFile = config.serviceTokenFile ?? (isApart ? join(dataDir, 'service.token') : undefined);
  const blobsUrl = config.blobsUrl ?? pathToFileURL(`${dataDir}/blobs`).href;
  const backup = { ...config.backup, url: config.backup.url ?? pathToFileURL(`${dataDir}/backups`).href };
  const mail = mailOf(config, dataDir);
  return { ...config, dataDir, blobsUrl, serviceTokenFile, backup, mail, fill: { ...config.fill, hours } };
}

function mailOf(
  { mail }: Pick<Static<typeof ControlPlaneSchema>, 'mail'>,
  dataDir: string,
): ControlPlaneConfig['mail'] {
  const { url = pathToFileURL(`${dataDir}/mail`).href, from } = mail;
  if (from === undefined && !url.startsWith('file:'))
    throw coded(
      'CONFIG_INVALID',
      '--mail-url needs --mail-from: servers take letters from known addresses only',
    );
  return { ...mail, url, from: from ?? 'nearcast@localhost' };
}

function checkAcme({ acme }: Pick<ControlPlaneConfig, 'acme'>): void {
  const { directory, zone, termsAgreed } = acme;
  if (directory === undefined) return;
  if (zone === undefined)
    throw coded('CONFIG_INVALID', "--acme-directory needs --acme-zone: steering's zone, as its --zone says");
  if (!termsAgreed)
    throw coded(
      'CONFIG_INVALID',
      '--acme-directory needs --acme-terms-agreed: authorities certify only those who agree to their terms',
    );
}

/** The authority that certifies boxes; undefined where there is none. */
export function authorityOf({ acme }: ControlPlaneConfig): Authority | undefined {
  const { directory, zone, contact } = acme;
  return directory === undefined || zone === undefined ? undefined : { directory, zone, contact };
}

/** The options as lines of help. */
export function controlPlaneHelp(): string {
  return `nearcast control-plane [options]\n\n${configHelp(ControlPlaneSchema, prefix)}\n`;
}
