import type { Events } from '../../common/adapters/events/port.ts';
import { answerEventLog, askForEventLog } from '../../control-plane/services/events/event-log.ts';
import {
  createPopularity,
  popularityEvents,
  type Popularity,
} from '../../control-plane/services/events/popularity.ts';
import type { ServedNodes } from '../../control-plane/services/events/ports.ts';
import {
  createEventsService,
  type EventsDependencies,
  type EventsService,
} from '../../control-plane/services/events/service.ts';

/** The intake of players' reports, and popularity that follows its log by the interface for it, over the same records. */
export interface WholeEvents {
  readonly service: EventsService;
  readonly popularity: Popularity;
  /** Brings everything in the log into what is learned. */
  flush(): Promise<void>;
  start(): void;
  stop(): Promise<void>;
}

/** Opens both. */
export async function openWholeEvents(
  deps: Omit<EventsDependencies, 'nodes'> & {
    readonly events: Events;
    readonly nodes: ServedNodes & { isNode(id: string): boolean };
  },
): Promise<WholeEvents> {
  const { nodes } = deps;
  const popularity = await createPopularity({
    ...deps,
    events: askForEventLog(answerEventLog(deps.events), popularityEvents),
  });
  const service = await createEventsService({
    ...deps,
    nodes: async (ids) =>
      new Map([...ids].filter((id) => nodes.isNode(id)).map((id) => [id, { site: nodes.siteOf(id) }])),
  });
  return {
    ...{ service, popularity },
    async flush() {
      await popularity.flush();
      await service.flush();
    },
    start() {
      const { signal } = new AbortController();
      popularity.start(signal);
      service.start(signal);
    },
    async stop() {
      await service.stop();
      await popularity.stop();
    },
  };
}
