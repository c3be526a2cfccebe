import { join } from 'node:path';
import { createSystemChance } from '../common/runtime/chance.ts';
import { createSystemClock } from '../common/runtime/clock.ts';
import { httpComponent } from '../common/runtime/http-server.ts';
import type { Component } from '../common/runtime/lifecycle.ts';
import { createLog } from '../common/runtime/log.ts';
import { createMetrics } from '../common/runtime/metrics.ts';
import { refusePublic } from '../common/runtime/node-options.ts';
import { runProcess } from '../common/runtime/run-process.ts';
import packageJson from '../package.json' with { type: 'json' };
import { acts, askForActs } from './apart/acts.ts';
import { createCallers } from './apart/callers.ts';
import { describeApart } from './apart/describe.ts';
import { askForCredentials, credentials } from './apart/credentials.ts';
import { Directory } from './apart/directory.ts';
import type { ServiceName } from './apart/interface.ts';
import { parseServiceUrls, upstreamsOf } from './apart/service-urls.ts';
import type { Base } from './base.ts';
import { controlPlaneHelp, readConfig } from './config.ts';
import { createGateway } from './gateway/server.ts';
import { rotateKeys } from './keys.ts';
import { measureStatus } from './metrics.ts';
import type { Part, PartContext } from './parts/part.ts';
import { openStores, type Stores } from './stores.ts';

const { version } = packageJson;

/** Runs the control plane until it is told to stop. @returns its exit code; the options are in config.ts. */
export async function run(argv: string[], env: NodeJS.ProcessEnv): Promise<number> {
  if (argv.includes('--help')) {
    process.stdout.write(controlPlaneHelp());
    return 0;
  }
  const config = readConfig(argv, env);
  const log = createLog({ name: 'control-plane', ...config.log });
  const base = { config, clock: createSystemClock(), chance: createSystemChance(), log };
  if (config.rotateKeys) return rotateKeys(base);
  const plane = await openControlPlane(base);
  try {
    const { components, url, firstAdminCode } = plane;
    return await runProcess({
      name: 'control-plane',
      log,
      clock: base.clock,
      components,
      ready: () => ({ url: url(), ...(firstAdminCode !== undefined && { firstAdminCode }) }),
    });
  } finally {
    await plane.close();
  }
}

/** A control plane whose parts are open; its components start, drain and stop it. */
export interface ControlPlane {
  components: Component[];
  /** Where it listens, once it has started. */
  url: () => string;
  /** Every route as `METHOD /path`, for the test that none is without a credential. */
  routes: readonly string[];
  /** What makes the first admin; undefined where there are accounts. */
  firstAdminCode: string | undefined;
  /** Closes the records; after the components have stopped. */
  close(): Promise<void>;
}

/** Opens what this process is to run of a control plane on its data directory, and listens to nothing yet. */
export async function openControlPlane(base: Base): Promise<ControlPlane> {
  const stores = await openStores(base);
  try {
    return await compose(base, stores);
  } catch (error) {
    await stores.close();
    throw error;
  }
}

async function compose(base: Base, stores: Stores): Promise<ControlPlane> {
  const { config, chance, clock, log } = base;
  const { insecurePublic } = config;
  const late: { url?: () => string } = {};
  const publicUrl = (): string => config.publicUrl ?? late.url?.() ?? '';
  const urls = parseServiceUrls(config.serviceUrls);
  const callers = createCallers({ urls, tokenFile: config.serviceTokenFile, clock, chance });
  const directory = new Directory({ here: config.services, callers });
  const { core, parts } = await openParts({ ...base, stores, directory, publicUrl });
  const metrics = createMetrics({ name: 'control-plane', version });
  if (core !== undefined) measureStatus(metrics, core.counts);
  const { server, routes } = await createGateway({
    ...{ version, log, metrics, chance, clock },
    limits: config.gateway,
    audit: core?.audit ?? askForActs(directory.find(acts), log),
    verifiers: core?.verifiers ?? askForCredentials(directory.find(credentials), clock),
    trustedProxies: config.trustedProxies,
    corsOrigins: config.corsOrigins,
    front: core && {
      clientsDir: config.clientsDir ?? builtClients,
      services: upstreamsOf(config.services, urls),
      descriptions: describeApart({ callers, here: config.services, clock, log }),
    },
    routes: (made) => {
      for (const part of parts) part.routes(made);
      if (urls.size > 0) directory.serve(made);
    },
  });
  const http = httpComponent(server, { host: config.host, port: config.port, fd: config.listenFd });
  late.url = http.url;
  const listening: Component = {
    ...http,
    start: async (context) => {
      await http.start?.(context);
      // Of a socket that was handed over it is known only now.
      refusePublic({ host: new URL(http.url()).hostname.replaceAll(/[[\]]/g, ''), insecurePublic });
    },
  };
  const close = async (): Promise<void> => {
    for (const part of parts) await part.close?.();
    await callers.close();
    await stores.close();
  };
  const components = [stores.component, ...parts.flatMap((part) => part.components), listening];
  return { components, url: http.url, routes, close, firstAdminCode: core?.firstAdminCode };
}

const builtClients = join(import.meta.dirname, '..', 'clients', 'dist');

/** Opens what is to run here; what is not is not loaded. */
async function openParts(context: PartContext) {
  const runs = (service: ServiceName): boolean => context.config.services.includes(service);
  const core = runs('core') ? await (await import('./parts/core.ts')).openCorePart(context) : undefined;
  const parts: Part[] = core === undefined ? [] : [core];
  if (runs('users')) parts.push(await (await import('./parts/users.ts')).openUsersPart(context));
  if (runs('billing')) parts.push(await (await import('./parts/billing.ts')).openBillingPart(context));
  if (runs('playback')) parts.push(await (await import('./parts/playback.ts')).openPlaybackPart(context));
  if (runs('events')) parts.push(await (await import('./parts/events.ts')).openEventsPart(context));
  if (runs('recommendations'))
    parts.push(await (await import('./parts/recommendations.ts')).openRecommendationsPart(context));
  if (runs('search')) parts.push(await (await import('./parts/search.ts')).openSearchPart(context));
  parts.push(await (await import('./parts/backups.ts')).openBackupsPart(context));
  return { core, parts };
}
