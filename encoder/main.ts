import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { openBlobs } from '../common/adapters/blobs/open.ts';
import { verifyAccessToken } from '../common/runtime/access-tokens.ts';
import { createSystemChance } from '../common/runtime/chance.ts';
import { createSystemClock } from '../common/runtime/clock.ts';
import { openDataDir } from '../common/runtime/data-dir.ts';
import { createHttpServer, httpComponent } from '../common/runtime/http-server.ts';
import { identityComponent, openIdentity } from '../common/runtime/identity.ts';
import { createLog } from '../common/runtime/log.ts';
import { createMetrics } from '../common/runtime/metrics.ts';
import { readEnrolmentCode } from '../common/runtime/node-options.ts';
import { runProcess } from '../common/runtime/run-process.ts';
import packageJson from '../package.json' with { type: 'json' };
import { encoderHelp, readConfig, type EncoderConfig } from './config.ts';
import { openFfmpeg } from './ffmpeg.ts';
import { createHttpJobs } from './http-jobs.ts';
import { createEncoderMetrics } from './metrics.ts';
import { openWorkDirectory } from './work-directory.ts';
import { createWorker } from './worker.ts';

/** Runs an encoder until it is told to stop. @returns its exit code; the options are in config.ts. */
export async function run(argv: string[], env: NodeJS.ProcessEnv): Promise<number> {
  if (argv.includes('--help')) {
    process.stdout.write(encoderHelp());
    return 0;
  }
  const config = readConfig(argv, env);
  const data = await openDataDir({ path: config.dataDir, kind: 'encoder', formatVersion: 1 });
  try {
    return await serve(config, env.PATH ?? '');
  } finally {
    await data.close();
  }
}

async function serve(config: EncoderConfig, path: string): Promise<number> {
  const log = createLog({ name: 'encoder', ...config.log });
  const clock = createSystemClock();
  const chance = createSystemChance();
  const user = process.getuid?.() === 0 ? { uid: config.ffmpegUid, gid: config.ffmpegGid } : undefined;
  const ffmpeg = await openFfmpeg({
    ...{ path, user, clock },
    threads: config.threads === 0 ? availableParallelism() : config.threads,
    addressSpaceBytesMax: config.addressSpaceBytes,
    encodeTimeoutMs: config.encodeTimeoutMs,
  });
  const { dataDir, controlUrl } = config;
  const code = readEnrolmentCode(config);
  const identity = await openIdentity({ dataDir, role: 'encoder', controlUrl, code, clock, chance, log });
  const workDirectory = await openWorkDirectory({ path: resolve(join(dataDir, 'work')), user });
  const blobs = await openBlobs(config.blobsUrl);
  const metrics = createMetrics({ name: identity.nodeId, version: packageJson.version });
  const server = await createHttpServer({
    ...{ name: identity.nodeId, version: packageJson.version, log, metrics },
    credentials: {
      access: (token) =>
        verifyAccessToken(token, { findKey: (kid) => identity.keyring.find(kid, 'access'), clock }),
    },
  });
  const http = httpComponent(server, { host: config.host, port: config.port });
  const worker = createWorker({
    ...{ blobs, ffmpeg, workDirectory, clock, log, chance },
    jobs: createHttpJobs(identity.control),
    metrics: createEncoderMetrics(metrics),
    concurrency: config.concurrency,
    drainMs: config.drainMs,
    hdr: config.hdr,
  });
  return await runProcess({
    name: identity.nodeId,
    ...{ log, clock },
    components: [
      { name: 'blobs', stop: () => blobs.close() },
      identityComponent(identity, { clock, chance, log }),
      http,
      worker,
    ],
    ready: () => ({ url: http.url(), concurrency: config.concurrency }),
  });
}
