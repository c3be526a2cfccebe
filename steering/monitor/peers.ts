import { Type } from '../../common/contract/type.ts';
import {
  steeringNodesMax,
  type PeerStatus,
  type PeerView,
  type SteeringPeer,
} from '../../common/contract/health.ts';
import { Sequence } from '../../common/contract/primitives.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { ControlClient } from '../../common/runtime/control-client.ts';
import type { App } from '../../common/runtime/http-app.ts';
import { callerGone } from '../../common/runtime/http-server.ts';
import type { SigningKey } from '../../common/runtime/keys.ts';
import type { Log } from '../../common/runtime/log.ts';
import { PeerFollower } from './peer-follower.ts';
import { ViewPublisher } from './view-publisher.ts';

export interface PeersOptions {
  /** This node's id and key. */
  readonly node: string;
  readonly key: SigningKey;
  /** A client that calls another steering node as this one. */
  readonly openClient: (url: string) => ControlClient;
  readonly clock: Clock;
  readonly log: Log;
  readonly freshMs: number;
  /** A view has come or counts no longer. */
  readonly onChange: () => void;
  readonly onRefused: (code: string) => void;
}

/** The other steering nodes: what they see, and what they are told. */
export interface Peers {
  /** Follows exactly these from now on, this node itself left out. */
  follow(peers: readonly SteeringPeer[]): void;
  /** Tells them what this node sees. */
  publish(view: PeerView, isUrgent: boolean): void;
  /** The views that count now. */
  fresh(): PeerView[];
  /** Every peer that says where it is. */
  status(): PeerStatus[];
  /** Registers the route by which they ask. */
  addTo(app: App, draining: AbortSignal): void;
  run(signal: AbortSignal): Promise<void>;
}

interface Followed {
  readonly follower: PeerFollower;
  readonly leave: AbortController;
  readonly done: Promise<void>;
}

const viewWaitMsMax = 5000;
const ViewQuery = Type.Object({
  after: Type.Optional({ ...Sequence, default: 0 }),
  waitMs: Type.Optional(Type.Integer({ minimum: 0, maximum: viewWaitMsMax, default: 0 })),
});

export function createPeers(options: PeersOptions): Peers {
  const publisher = new ViewPublisher(options);
  const followed = new Map<string, Followed>();

  const open = (peer: SteeringPeer, url: string): Followed => {
    const { clock, log, freshMs, onChange, onRefused, openClient } = options;
    const client = openClient(url);
    const follower = new PeerFollower({
      ...{ peer, client, clock, log, freshMs, onRefused },
      onView: onChange,
    });
    const leave = new AbortController();
    return { follower, leave, done: follower.run(leave.signal) };
  };
  const leaveAll = async (): Promise<void> => {
    const all = [...followed.values()];
    followed.clear();
    for (const { leave } of all) leave.abort();
    await Promise.all(all.map(({ done }) => done));
  };

  return {
    follow(peers) {
      const wanted = new Map<string, { peer: SteeringPeer; url: string }>();
      for (const peer of peers.filter(({ id }) => id !== options.node).slice(0, steeringNodesMax)) {
        if (peer.url !== undefined && URL.canParse(peer.url)) wanted.set(peer.id, { peer, url: peer.url });
      }
      for (const [id, { follower, leave }] of followed) {
        const { peer } = wanted.get(id) ?? {};
        if (peer?.url === follower.peer.url && peer?.key.x === follower.peer.key.x) continue;
        leave.abort();
        followed.delete(id);
      }
      for (const [id, { peer, url }] of wanted) if (!followed.has(id)) followed.set(id, open(peer, url));
    },
    publish: (view, isUrgent) => {
      publisher.publish(view, isUrgent);
    },
    fresh: () => [...followed.values()].flatMap(({ follower }) => follower.fresh() ?? []),
    status: () => [...followed.values()].map(({ follower }) => follower.status()),
    addTo(app, draining) {
      app.get(
        '/v1/health-view',
        {
          config: { credential: ['node:steering', 'operator', 'admin'] },
          schema: {
            summary:
              'What this node sees of every box, signed by it (a long poll; 204 where nothing is newer)',
            querystring: ViewQuery,
          },
        },
        async (request, reply) => {
          const { after = 0, waitMs = 0 } = request.query;
          const signal = AbortSignal.any([draining, callerGone(request, reply)]);
          const signed = await publisher.newer(after, { waitMs, signal });
          if (signed === undefined) return reply.code(204).send(null);
          return reply.type('application/jose').send(signed.jws);
        },
      );
    },
    async run(signal) {
      await publisher.run(signal);
      await leaveAll();
    },
  };
}
