import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { Type, type Static } from '../common/contract/type.ts';

import { RouteClass } from '../common/contract/documents.ts';
import { BaseUrl, IpAddress, SizeBytes } from '../common/contract/primitives.ts';
import { configHelp, loadConfig } from '../common/runtime/config.ts';
import { coded } from '../common/runtime/errors.ts';
import { enrolmentOptions, logOptions } from '../common/runtime/node-options.ts';
import { certificateFiles } from './tls/certificate-files.ts';
import { communityRulePattern } from './core/routes/route-classes.ts';
import type { TlsFiles } from './engine/tls-settings.ts';
import { policyDefault } from './core/eviction/policy.ts';
import { accessLogOptions } from './records/config.ts';

const prefix = 'NEARCAST_APPLIANCE';
const fileDefault = '/etc/nearcast/appliance.json';
const workersMax = 64;
const Count = (minimum: number, maximum: number) => Type.Integer({ minimum, maximum });
const DurationMs = (minimum: number) => Type.Integer({ minimum, maximum: 86_400_000 });

/** Everything that can be configured; each key is also a flag and an environment variable. */
export const ApplianceSchema = Type.Object({
  controlUrl: { ...BaseUrl, description: 'The control plane' },
  ...enrolmentOptions,
  dataDir: Type.String({ default: 'nearcast-data/appliance', description: 'Identity, files and state' }),
  host: Type.String({ default: '127.0.0.1', description: 'Address to listen on; :: for all' }),
  port: { ...Count(0, 65_535), default: 8080, description: 'Port to listen on; 0 picks one' },
  tls: Type.Object({
    certFile: Type.Optional(
      Type.String({ description: 'PEM certificate with its chain; with it the box speaks https' }),
    ),
    keyFile: Type.Optional(Type.String({ description: 'PEM private key of that certificate' })),
    auto: Type.Boolean({
      default: false,
      description: "The box has itself certified for its name under steering's zone, by the control plane",
    }),
    dir: Type.Optional(Type.String({ description: 'Certificates for more names: NAME.crt beside NAME.key' })),
  }),
  h2: Type.Boolean({ default: false, description: 'With TLS: HTTP/2 too, by the slower engine' }),
  publicUrl: Type.Optional({
    ...BaseUrl,
    description: 'How players and peers reach this box; found out if absent',
  }),
  addresses: Type.Array(IpAddress, {
    default: [],
    maxItems: 16,
    description: 'Addresses at which players reach this box; found out if absent',
  }),
  routesFile: Type.Optional(Type.String({ description: 'JSON list of the prefixes that this box serves' })),
  bgp: Type.Object({
    birdSocket: Type.Optional(
      Type.String({ description: 'Routes come from BIRD 2: its control socket, like /run/bird/bird.ctl' }),
    ),
    birdProtocols: Type.Array(Type.String({ pattern: '^[\\w.:-]{1,64}$' }), {
      default: [],
      maxItems: 64,
      description: "BIRD's protocols that tell routes; every BGP session if none",
    }),
    gobgpAddress: Type.Optional(
      Type.String({
        pattern: '^\\S+:\\d{1,5}$',
        description: 'Routes come from GoBGP: host:port of its API; needs its program gobgp',
      }),
    ),
    classes: Type.Array(Type.String({ pattern: communityRulePattern }), {
      default: [],
      maxItems: 256,
      description: 'Classes by community, the first that fits: 65001:100=private, 65001:1:2=public',
    }),
    class: { ...RouteClass, default: 'embedded', description: 'The class of all other routes' },
    restartMs: {
      ...DurationMs(0),
      default: 0,
      description: 'Routes of a lost BGP session are kept for so long',
    },
  }),
  place: Type.Object({
    latitude: Type.Optional(Type.Number({ minimum: -90, maximum: 90, description: 'Where the box stands' })),
    longitude: Type.Optional(
      Type.Number({ minimum: -180, maximum: 180, description: 'Where the box stands' }),
    ),
  }),
  disks: Type.Array(Type.String(), {
    default: [],
    maxItems: 64,
    description:
      'Directories for files, each a disk of its own; the data directory if none. SIGHUP: read again',
  }),
  drainDisks: Type.Array(Type.String(), {
    default: [],
    maxItems: 64,
    description: 'Those of them that are emptied, to be taken out. SIGHUP: read again',
  }),
  diskSlowMs: {
    ...DurationMs(100),
    default: 30_000,
    description: 'A disk that answers nothing for so long is quarantined',
  },
  scrubMonthlyBytes: Type.Optional({
    ...SizeBytes,
    description: 'What is read again in 30 days to find rot; all that is held, once, if absent; 0: nothing',
  }),
  capacityBytes: Type.Optional({
    ...SizeBytes,
    description: 'Most that files may take; all of the disks if absent',
  }),
  reserveBytes: { ...SizeBytes, default: 2 ** 30, description: 'What stays free on each disk' },
  fillCapBytesPerSecond: Type.Optional({ ...Count(1, 2 ** 40), description: 'Most that fill may take' }),
  fillSourceCapBytesPerSecond: Type.Optional({
    ...Count(1, 2 ** 40),
    description: 'Most that fill may take from one source, over whatever link that is',
  }),
  fillConcurrency: { ...Count(1, 64), default: 4, description: 'Transfers of a fill at a time' },
  fillStallMs: { ...DurationMs(100), default: 10_000, description: 'A source silent for so long has failed' },
  miss: Type.Optional(
    Type.Union([Type.Literal('fetch'), Type.Literal('redirect'), Type.Literal('refuse')], {
      description:
        'What is not held: fetch it and keep it, redirect to who holds it (if absent), or refuse it (404)',
    }),
  ),
  eviction: Type.Union(
    [Type.Literal('lru'), Type.Literal('sieve'), Type.Literal('s3fifo'), Type.Literal('gdsf')],
    {
      default: policyDefault,
      description: 'Which of the files that no manifest names goes first when room is needed',
    },
  ),
  origin: Type.Boolean({ default: false, description: 'Serve everything from the blobs instead of a disk' }),
  blobsUrl: Type.Optional(Type.String({ description: 'With --origin: file:///directory or s3://bucket' })),
  originCacheBytes: {
    ...Count(2 ** 20, 2 ** 40),
    default: 64 * 2 ** 20,
    description: 'With --origin: memory for verified chunks',
  },
  workers: {
    ...Count(0, workersMax),
    description: 'Processes that serve, one a core if absent; 0: the main process serves itself',
  },
  engine: Type.Union([Type.Literal('native'), Type.Literal('node')], {
    default: 'native',
    description: 'native: the addon where it is built for this runtime; node: JavaScript alone',
  }),
  connectionsMax: { ...Count(1, 1_000_000), default: 10_000, description: 'Connections; above it 429' },
  requestsMax: { ...Count(1, 1_000_000), default: 4096, description: 'Requests at a time; above it 429' },
  connectionsPerAddressMax: {
    ...Count(1, 1_000_000),
    default: 2048,
    description:
      'Connections of one IPv4 address, which may be a whole CGNAT, or of one IPv6 /64; above it 429',
  },
  headersTimeoutMs: { ...DurationMs(100), default: 10_000, description: 'Time for the head of a request' },
  keepAliveTimeoutMs: {
    ...DurationMs(100),
    default: 75_000,
    description: 'An idle connection is kept so long',
  },
  idleTimeoutMs: { ...DurationMs(100), default: 60_000, description: 'A transfer that stands still is cut' },
  minBytesPerSecond: {
    ...Count(0, 2 ** 30),
    default: 4096,
    description: 'A transfer slower than this, over the idle timeout, is cut; 0: none is',
  },
  paceBytesPerSecond: {
    ...Count(0, 2 ** 40),
    default: 0,
    description: 'Most that a connection is sent; 0: no such limit. The node engine cannot pace',
  },
  lineMbitPerSecond: Type.Optional({
    ...Count(1, 10_000_000),
    description: 'What the line carries; asked of the interface if absent. Nearly full, new sessions get 429',
  }),
  openFilesMax: { ...Count(16, 1_000_000), default: 1024, description: 'Content files kept open' },
  readBufferBytes: {
    ...Count(2 ** 20, 2 ** 40),
    default: 256 * 2 ** 20,
    description: 'Memory for reads; beyond it they become small',
  },
  drainMs: { ...DurationMs(0), default: 10_000, description: 'Time to finish what is in flight at the end' },
  log: logOptions,
  accessLog: accessLogOptions,
});

type Given = Static<typeof ApplianceSchema>;

export type ApplianceConfig = Given & Required<Pick<Given, 'miss'>>;

/**
 * Reads the configuration: defaults < file < environment < flags.
 *
 * @throws CONFIG_INVALID, also where two values do not go together.
 */
export function readConfig(argv: readonly string[], env: NodeJS.ProcessEnv): ApplianceConfig {
  const defaults = { workers: Math.min(workersMax, availableParallelism()) };
  const config = loadConfig({ schema: ApplianceSchema, prefix, defaults, fileDefault, argv, env });
  if (config.origin && config.blobsUrl === undefined) {
    throw coded('CONFIG_INVALID', '--origin needs --blobs-url: where the files are');
  }
  if (!config.origin && config.blobsUrl !== undefined) {
    throw coded('CONFIG_INVALID', '--blobs-url is for --origin; an appliance serves what its fill brought');
  }
  if (config.origin && config.miss !== undefined) {
    throw coded('CONFIG_INVALID', '--miss is not for --origin, which reads everything through to the blobs');
  }
  if ((config.place.latitude === undefined) !== (config.place.longitude === undefined)) {
    throw coded('CONFIG_INVALID', 'a place needs both --place-latitude and --place-longitude');
  }
  const { routesFile, bgp } = config;
  if ([routesFile, bgp.birdSocket, bgp.gobgpAddress].filter((source) => source !== undefined).length > 1) {
    throw coded(
      'CONFIG_INVALID',
      'routes come from one source: --routes-file, --bgp-bird-socket or --bgp-gobgp-address',
    );
  }
  checkTls(config);
  if (config.enrolmentCode !== undefined && config.enrolmentCodeFile !== undefined) {
    throw coded('CONFIG_INVALID', 'give --enrolment-code or --enrolment-code-file, not both');
  }
  const dataDir = resolve(config.dataDir);
  const { miss = config.origin ? 'refuse' : 'redirect' } = config;
  return { ...config, miss, dataDir, ...readDisks(config, dataDir) };
}

/** The directories of the disks, whole, and which of them are to be emptied. */
function readDisks({ disks, drainDisks }: Given, dataDir: string) {
  const paths = disks.length === 0 ? [dataDir] : disks.map((path) => resolve(path));
  const drained = drainDisks.map((path) => resolve(path));
  const twice = paths.find((path, index) => paths.indexOf(path) < index);
  if (twice !== undefined) throw coded('CONFIG_INVALID', `--disks names ${twice} twice`);
  const unknown = drained.find((path) => !paths.includes(path));
  if (unknown !== undefined) {
    throw coded('CONFIG_INVALID', `--drain-disks names ${unknown}, which is not one of --disks`);
  }
  return { disks: paths, drainDisks: drained };
}

function checkTls({ tls, h2, publicUrl, dataDir }: Given): void {
  if ((tls.certFile === undefined) !== (tls.keyFile === undefined)) {
    throw coded('CONFIG_INVALID', 'TLS needs both --tls-cert-file and --tls-key-file');
  }
  if (tls.auto && tls.certFile !== undefined)
    throw coded('CONFIG_INVALID', 'give --tls-auto or --tls-cert-file, not both');
  const files = tlsFiles({ tls, dataDir });
  if (files === undefined && h2) {
    throw coded(
      'CONFIG_INVALID',
      '--h2 needs TLS: give --tls-cert-file and --tls-key-file, --tls-dir, or --tls-auto',
    );
  }
  if (files !== undefined && publicUrl?.startsWith('http://') === true) {
    throw coded('CONFIG_INVALID', '--public-url must begin with https:// where the box speaks TLS');
  }
}

/** Where the certificates are; undefined where the box speaks plain HTTP. */
export function tlsFiles({ tls, dataDir }: Pick<ApplianceConfig, 'tls' | 'dataDir'>): TlsFiles | undefined {
  if (tls.auto) return { ...tls, ...certificateFiles(certificateDir({ dataDir })) };
  return tls.certFile === undefined && tls.dir === undefined ? undefined : tls;
}

/** Where the box's own certificate is kept with its keys. */
export function certificateDir({ dataDir }: Pick<ApplianceConfig, 'dataDir'>): string {
  return join(dataDir, 'tls');
}

/** The options as lines of help. */
export function applianceHelp(): string {
  return `nearcast appliance [--origin] [options]\n\n${configHelp(ApplianceSchema, prefix)}\n`;
}
