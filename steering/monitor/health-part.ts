import { join } from 'node:path';
import type { Sight } from '../../common/contract/health.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { Chance } from '../../common/runtime/chance.ts';
import { createControlClient } from '../../common/runtime/control-client.ts';
import type { App } from '../../common/runtime/http-app.ts';
import type { Identity } from '../../common/runtime/identity.ts';
import type { Component } from '../../common/runtime/lifecycle.ts';
import type { Log } from '../../common/runtime/log.ts';
import { createProofVerifier, type ProofVerifier } from '../../common/runtime/node-proofs.ts';
import type { SteeringConfig } from '../config.ts';
import { flapPolicyDefault } from '../core/flap.ts';
import type { SteeringView } from '../core/view.ts';
import type { SteeringMetrics } from '../metrics.ts';
import { createBoxStreams, type BoxStreams } from './box-streams.ts';
import { FlapBook } from './flap-book.ts';
import type { HealthChange } from './health-board.ts';
import { openHttpProbe } from './http-probe.ts';
import { KnownNodes } from './known-nodes.ts';
import { createMonitor, type Monitor, type MonitorParts } from './monitor.ts';
import { createPeers, type Peers } from './peers.ts';
import { createProber } from './prober.ts';

export interface HealthPartOptions {
  readonly config: SteeringConfig;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
  readonly identity: Identity;
  readonly metrics: SteeringMetrics;
}

/** Everything of steering that watches: probes, streams, peers and what follows from them. */
export interface HealthPart {
  readonly monitor: Monitor;
  readonly component: Component;
  /** Verifies the proofs of the nodes that the map names. */
  readonly verifyNode: ProofVerifier;
  /** Watches what this map names. */
  watch(view: SteeringView): void;
  /** Monotonic time of the last change of a box's health; undefined where there was none. */
  readonly changedAtMs: () => number | undefined;
  /** Registers the routes of boxes and peers; what they keep open ends when draining begins. */
  addTo(app: App, draining: AbortSignal): void;
}

const HOLD_WINDOW_MS = 10_000;
const SILENT_MS = 3000;
const FRESH_MS = 5000;
const sightTexts: Readonly<Record<Sight, string>> = {
  clear: 'other steering nodes are in sight',
  alone: 'no other steering node is in sight: this one answers from its own view',
  isolated: 'no other steering node and few boxes are in sight: the last good state is kept',
};

/** Makes what watches; `onUpdate` hears that something has changed of what is to be believed. */
export function createHealthPart(options: HealthPartOptions, onUpdate: () => void): HealthPart {
  const { clock, identity, log } = options;
  let changedAtMs: number | undefined;
  const ending = new AbortController();
  const path = join(options.config.dataDir, 'health-flaps.json');
  const flaps = new FlapBook({ path, policy: flapPolicyDefault, clock, log });
  let parts: MonitorParts | undefined;
  const monitor = createMonitor(
    {
      ...{ node: identity.nodeId, clock, holdWindowMs: HOLD_WINDOW_MS, onUpdate },
      onSight: (sight) => {
        log[sight === 'clear' ? 'info' : 'warn']({ sight }, sightTexts[sight]);
      },
      onChange: (change) => {
        tell(change, options);
        // That a box was found well at the start is no incident, nor is one that was planned.
        const { before, after } = change;
        const isFound = (before?.verdict ?? 'unknown') === 'unknown' && after.verdict === 'up';
        if (!isFound) changedAtMs = clock.monotonicMs();
      },
    },
    (made) => (parts = makeParts({ ...options, flaps }, made)),
  );
  const known = new KnownNodes();
  let done: Promise<void> | undefined;
  return {
    monitor,
    changedAtMs: () => changedAtMs,
    watch(view) {
      known.take(view);
      monitor.watch(view);
    },
    verifyNode: createProofVerifier({ audience: 'steering', clock, findNode: (kid) => known.find(kid) }),
    addTo(app, draining) {
      parts?.streams.addTo(app);
      parts?.peers.addTo(app, draining);
      draining.addEventListener('abort', () => {
        ending.abort();
      });
    },
    component: {
      name: 'monitor',
      start: async ({ signal, crash }) => {
        await flaps.load();
        done = monitor.run(AbortSignal.any([signal, ending.signal])).catch(crash);
      },
      stop: async () => {
        await done;
        await flaps.settled();
      },
    },
  };
}

function makeParts(
  options: HealthPartOptions & { readonly flaps: FlapBook },
  monitor: Pick<Monitor, 'changed'>,
): MonitorParts {
  const { config, clock, log, identity, flaps } = options;
  const prober = createProber({
    clock,
    openProbe: (aim) => openHttpProbe(aim, { clock, timeoutMs: config.probeTimeoutMs }),
    policy: { downAfter: 2, upAfter: 2 },
    flap: flapPolicyDefault,
    flaps,
    intervalMs: config.probeIntervalMs,
    recheckMs: config.probeRecheckMs,
    probesMax: config.probesMax,
    probesPerSecondMax: config.probesPerSecondMax,
    onChange: () => {
      monitor.changed('urgent');
    },
  });
  const streams: BoxStreams = createBoxStreams({
    ...{ node: identity.nodeId, clock, log, silentMs: SILENT_MS },
    onChange: (urgency) => {
      monitor.changed(urgency);
    },
    onDoubt: (id) => {
      prober.doubt(id);
    },
  });
  return { prober, streams, peers: makePeers(options, monitor) };
}

function makePeers(
  { identity, clock, chance, log, metrics }: HealthPartOptions,
  monitor: Pick<Monitor, 'changed'>,
): Peers {
  const { nodeId: node, key } = identity;
  return createPeers({
    ...{ node, key, clock, log, freshMs: FRESH_MS },
    openClient: (url) =>
      createControlClient({
        ...{ url, clock, chance, unreachable: 'STEERING_UNREACHABLE', timeoutMs: 1500 },
        authorize: identity.authorize('steering'),
      }),
    onChange: () => {
      monitor.changed('urgent');
    },
    onRefused: (code) => {
      metrics.viewsRefused.inc({ code });
    },
  });
}

function tell({ id, before, after }: HealthChange, { log, metrics }: HealthPartOptions): void {
  const { verdict: to, reason, downFamilies = [] } = after;
  const record = {
    ...{ node: id, from: before?.verdict ?? 'unknown', to, reason },
    ...(downFamilies.length > 0 && { downFamilies }),
  };
  metrics.healthChanges.inc({ verdict: to });
  if (to === 'up' && downFamilies.length === 0) log.info(record, 'health changed');
  else log.warn(record, 'health changed');
}
