import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { createTitle, waitUntilLive } from '../../../cli/commands/title.ts';
import { PlaybackSession } from '../../../common/contract/playback.ts';
import { openBrowser } from '../browser.ts';
import { makeClip } from '../clip.ts';
import { untilHealthy } from '../healthy-boxes.ts';
import { startTestSystem, topologyAt, type TestSystem } from '../system.ts';
import { servePlayersPage } from './page-server.ts';
import type { PlayerOrder, PlayerPage, PlayerState } from './page/player-order.ts';
import { startSteeringProxy, type SteeringProxy } from './steering-proxy.ts';

/** A request of a player, as the browser saw it. */
export interface PlayerRequest {
  readonly atMs: number;
  /** A pathway, or steering; what went elsewhere (manifests) is not noted. */
  readonly to: string;
}

/** A player in a page of its own. */
export interface RunningPlayer {
  readonly order: PlayerOrder;
  readonly requests: readonly PlayerRequest[];
  state(): Promise<PlayerState>;
  /** Closes the page; what it was like in the end. */
  leave(): Promise<PlayerState>;
}

/** All planes, a film of which every box has a copy, a proxy before steering, and a browser. */
export interface PlayersRig extends AsyncDisposable {
  readonly running: TestSystem;
  readonly proxy: SteeringProxy;
  /** A new session of the film for a client in ISP A; its first pathway is a box there. */
  session(): Promise<PlaybackSession>;
  play(order: PlayerOrder): Promise<RunningPlayer>;
  /** Waits until every box is well, in steering's eyes too. */
  healthy(): Promise<void>;
}

export interface RigOptions {
  readonly portOffset: number;
  readonly filmS: number;
  /** How long players keep an answer of steering, well or not. */
  readonly ttlS: { readonly healthy: number; readonly incident: number };
}

/** How many requests a box answers at a time; beyond that it sheds. */
export const requestsMax = 16;

/** Starts everything; disposing ends it. */
export async function startPlayersRig({ portOffset, filmS, ttlS }: RigOptions): Promise<PlayersRig> {
  await using stack = new AsyncDisposableStack();
  const { steeringUrl: target, controlPort } = topologyAt(portOffset);
  const proxy = stack.use(await startSteeringProxy({ port: controlPort + 9, target }));
  const env = {
    NEARCAST_STEERING_TTL_HEALTHY_S: String(ttlS.healthy),
    NEARCAST_STEERING_TTL_INCIDENT_MIN_S: String(ttlS.incident),
    NEARCAST_STEERING_TTL_INCIDENT_MAX_S: String(ttlS.incident),
    NEARCAST_APPLIANCE_REQUESTS_MAX: String(requestsMax),
  };
  const running = stack.use(await startTestSystem({ portOffset, env, steeringUrl: proxy.url }));
  const { system, context, dataDir } = running;
  const film = await makeClip(join(dataDir, 'film.mp4'), { lengthS: filmS });
  const { id: titleId } = await createTitle(context, film, { name: 'Film', pin: true });
  const boxes = system.topology.nodes.filter((node) => node.role === 'appliance').map((node) => node.name);
  await waitUntilLive(context, titleId, boxes);
  const page = stack.use(await servePlayersPage());
  const browser = stack.adopt(await openBrowser(), (open) => open.close());
  const owned = stack.move();
  return {
    running,
    proxy,
    session: () =>
      system.api.call({
        method: 'POST',
        path: '/v1/playback-sessions',
        body: { titleId, clientAddress: '127.0.0.1' },
        reply: PlaybackSession,
      }),
    play: (order) => openPlayer(browser, page.url, order),
    healthy: async () => {
      await system.settled();
      await untilHealthy(running, boxes);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** With many players on a busy machine a page takes long to open. */
const openTimeoutMs = 90_000;

async function openPlayer(browser: Browser, url: string, order: PlayerOrder): Promise<RunningPlayer> {
  const page = await browser.newPage();
  const requests = watchRequests(page, order.session);
  await page.goto(url, { timeout: openTimeoutMs });
  await page.waitForFunction(() => 'startPlayer' in globalThis, undefined, { timeout: openTimeoutMs });
  await page.evaluate((sent) => {
    (globalThis as unknown as PlayerPage).startPlayer(sent);
  }, order);
  return {
    order,
    requests,
    state: () => page.evaluate(() => (globalThis as unknown as PlayerPage).readPlayer()),
    leave: async () => {
      const last = await page.evaluate(() => (globalThis as unknown as PlayerPage).leavePlayer());
      await page.close();
      return last;
    },
  };
}

function watchRequests(page: Page, { pathways, steeringUrl }: PlaybackSession): readonly PlayerRequest[] {
  const requests: PlayerRequest[] = [];
  const names = new Map(pathways.map(({ id, url }) => [new URL(url).origin, id]));
  names.set(new URL(steeringUrl).origin, 'steering');
  page.on('request', (request) => {
    const to = names.get(new URL(request.url()).origin);
    if (to !== undefined) requests.push({ atMs: performance.now(), to });
  });
  return requests;
}
