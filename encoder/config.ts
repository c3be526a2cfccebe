import { Type, type Static } from '../common/contract/type.ts';
import { BaseUrl } from '../common/contract/primitives.ts';
import { configHelp, loadConfig } from '../common/runtime/config.ts';
import {
  enrolmentOptions,
  insecurePublicOption,
  logOptions,
  refusePublic,
} from '../common/runtime/node-options.ts';

const prefix = 'NEARCAST_ENCODER';
const mebi = 1024 * 1024;

/** Everything that can be configured; each key is also a flag and an environment variable. */
export const EncoderSchema = Type.Object({
  dataDir: Type.String({ default: 'nearcast-data/encoder', description: 'Identity and work in progress' }),
  controlUrl: Type.String({
    ...BaseUrl,
    default: 'http://127.0.0.1:7070',
    description: 'The control plane, which gives out the jobs',
  }),
  ...enrolmentOptions,
  blobsUrl: Type.String({ description: 'Video storage, of sources and files: file:///… or s3://…' }),
  host: Type.String({ default: '127.0.0.1', description: 'Address to listen on for health and metrics' }),
  port: Type.Integer({
    default: 7072,
    minimum: 0,
    maximum: 65_535,
    description: 'Port for health and metrics; 0 picks one',
  }),
  insecurePublic: insecurePublicOption,
  concurrency: Type.Integer({
    default: 1,
    minimum: 1,
    maximum: 64,
    description: 'Jobs at the same time; one uses all cores already',
  }),
  threads: Type.Integer({
    default: 0,
    minimum: 0,
    maximum: 64,
    description: 'Threads of each decoder and encoder; 0: as many as cores',
  }),
  hdr: Type.Boolean({
    default: true,
    description: 'Renditions in HDR beside those in SDR, of sources that are HDR',
  }),
  drainMs: Type.Integer({
    default: 10_000,
    minimum: 0,
    maximum: 86_400_000,
    description: 'How long a job may go on after SIGTERM before it is handed back',
  }),
  encodeTimeoutMs: Type.Integer({
    default: 24 * 3_600_000,
    minimum: 1000,
    maximum: 7 * 24 * 3_600_000,
    description: 'Longest time for one encode',
  }),
  addressSpaceBytes: Type.Integer({
    default: 8192 * mebi,
    minimum: 512 * mebi,
    description: 'Address space that one ffmpeg may take',
  }),
  ffmpegUid: Type.Integer({
    default: 65_534,
    minimum: 1,
    description: 'User that ffmpeg runs as when the encoder is root; nobody',
  }),
  ffmpegGid: Type.Integer({ default: 65_534, minimum: 1, description: 'Its group; nogroup' }),
  log: logOptions,
});
export type EncoderConfig = Static<typeof EncoderSchema>;

/** Defaults < file < environment < flags. Throws CONFIG_INVALID naming what is wrong. */
export function readConfig(argv: readonly string[], env: NodeJS.ProcessEnv): EncoderConfig {
  const config = loadConfig({ schema: EncoderSchema, prefix, argv, env });
  refusePublic(config);
  return config;
}

/** The options as lines of help. */
export function encoderHelp(): string {
  return `nearcast encoder [options]\n\n${configHelp(EncoderSchema, prefix)}\n`;
}
