import { openBlobs } from '../../common/adapters/blobs/open.ts';
import { createTeller } from '../apart/tell.ts';
import { started } from '../background.ts';
import { answerEventLog } from '../services/events/event-log.ts';
import { eventLog, eventsWorld } from '../services/events/interfaces.ts';
import { KnownWorld } from '../services/events/known-world.ts';
import { eventsDefaults } from '../services/events/ports.ts';
import { eventsRoutes } from '../services/events/routes.ts';
import { createEventsService } from '../services/events/service.ts';
import { playbackEvents, playbackStreams } from '../services/playback/interfaces.ts';
import { rowTickets } from '../services/recommendations/interfaces.ts';
import type { Part, PartContext } from './part.ts';

/** Players' reports that playback is told of at the same time. */
const tellsMax = 1024;

/** Opens the event log, with what players report and what is added up of it. */
export async function openEventsPart({ config, stores, directory, clock, log }: PartContext): Promise<Part> {
  const streams = directory.find(playbackStreams);
  const tickets = directory.find(rowTickets);
  const unheard = 'playback did not hear of a stream; it counts for a minute at most';
  const tell = createTeller({ underWayMax: tellsMax, clock, log, unheard });
  const { clientsMax } = eventsDefaults;
  const world = new KnownWorld({ world: directory.find(eventsWorld), clientsMax, clock });
  const logged = await stores.openEvents();
  const blobs = await openBlobs(config.blobsUrl);
  const events = await createEventsService({
    reported: (report) => {
      tell(() => streams.reported(report));
    },
    readTickets: async (some) => (await tickets.read({ tickets: [...some] })).rows.map(({ row }) => row),
    nodes: (ids) => world.nodes(ids),
    events: logged,
    records: await stores.open('events'),
    ...{ blobs, clock, log, options: eventsDefaults },
  });
  directory.provide(eventLog, answerEventLog(logged));
  directory.provide(playbackEvents, {
    begun: async (session) => {
      await events.noteSession(session);
      return {};
    },
  });
  return {
    components: [started('events', events)],
    routes: ({ app }) => {
      eventsRoutes(app, {
        events,
        siteOf: (address) => world.siteOf(address),
        titleNames: (bundles) => world.titleNames(bundles),
      });
    },
    close: () => blobs.close(),
  };
}
