import { createRouteTableBuilder } from '../../common/core/route-table.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { Component } from '../../common/runtime/lifecycle.ts';
import type { Log } from '../../common/runtime/log.ts';
import type { ApplianceConfig } from '../config.ts';
import { createRouteClassifier } from '../core/routes/route-classes.ts';
import { createBirdSource } from './bird-source.ts';
import { openFileSource } from './file-source.ts';
import { createGobgpSource } from './gobgp-source.ts';
import type { RouteSource } from './route-source.ts';
import type { RouteUplink } from './route-uplink.ts';

/** No box tells more: a full table of both families is some 1.2 million prefixes. */
const routesMax = 2_000_000;

/**
 * Whether the configuration names a source of routes. Undefined for a file, which is in the package, and empty there: whether it has
 * ever had routes is known to the control plane.
 */
export function hasRouteFeed({ routesFile, bgp }: ApplianceConfig): boolean | undefined {
  if (bgp.birdSocket !== undefined || bgp.gobgpAddress !== undefined) return true;
  return routesFile === undefined ? false : undefined;
}

/** Opens what the configuration names as the source of the routes. @throws CONFIG_INVALID for a file that is wrong. */
export async function openRouteSource({
  config: { routesFile, bgp },
  clock,
  log,
}: {
  config: ApplianceConfig;
  clock: Clock;
  log: Log;
}): Promise<RouteSource> {
  if (routesFile !== undefined) return openFileSource({ path: routesFile, log });
  const { birdSocket, birdProtocols, gobgpAddress, restartMs } = bgp;
  const classifier = createRouteClassifier(bgp.classes, bgp.class);
  const shared = { classifier, restartMs, routesMax, clock, log };
  if (birdSocket !== undefined)
    return createBirdSource({ ...shared, socket: birdSocket, protocols: birdProtocols });
  return gobgpAddress === undefined ? noSource : createGobgpSource({ ...shared, address: gobgpAddress });
}

const noSource: RouteSource = {
  run: async (listener) => {
    listener.routes(createRouteTableBuilder().build());
  },
};

/** Learns routes and tells them on, until the box stops; they outlast a drain as the rest of the uplink does. */
export function routesComponent({ source, routes }: { source: RouteSource; routes: RouteUplink }): Component {
  let done: Promise<unknown> | undefined;
  return {
    name: 'routes',
    start({ signal, crash }) {
      done = Promise.all([source.run(routes, signal), routes.run(signal)]).catch(crash);
    },
    async stop() {
      await done;
    },
  };
}
