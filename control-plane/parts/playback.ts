import { started } from '../background.ts';
import {
  playbackBilling,
  playbackCatalog,
  playbackEvents,
  playbackFleet,
  playbackStreams,
  playbackTokens,
  playbackUsers,
  steeringTokens,
} from '../services/playback/interfaces.ts';
import { lazyRanker } from '../services/playback/lazy-ranker.ts';
import { playbackDefaults } from '../services/playback/ports.ts';
import { playbackRoutes } from '../services/playback/routes.ts';
import { createPlayback } from '../services/playback/service.ts';
import { playbackCounts } from '../services/status/ports.ts';
import { viewerRights } from '../services/viewer-rights.ts';
import type { Part, PartContext } from './part.ts';

/** Opens playback. */
export async function openPlaybackPart(context: PartContext): Promise<Part> {
  const { config, stores, directory, publicUrl, clock, chance, log } = context;
  const { steeringUrl } = config;
  const { forSteering } = directory.find(steeringTokens);
  const rights = directory.find(viewerRights);
  const serviceToken = () => forSteering({});
  const ranker =
    steeringUrl === undefined ? undefined : lazyRanker({ steeringUrl, clock, chance, serviceToken });
  const playback = await createPlayback({
    // A power cut ends what was begun a moment before; whoever asks for its manifest is told to begin again.
    records: await stores.openGrouped('playback', 'written'),
    catalog: directory.find(playbackCatalog),
    fleet: directory.find(playbackFleet),
    tokens: directory.find(playbackTokens),
    users: directory.find(playbackUsers),
    billing: directory.find(playbackBilling),
    events: directory.find(playbackEvents),
    rank: ranker?.rank,
    ...{ clock, chance, log },
    options: { ...playbackDefaults, publicUrl, steeringUrl },
  });
  directory.provide(playbackCounts, {
    sessionsToday: async () => ({ sessions: playback.sessionsToday() }),
  });
  directory.provide(playbackStreams, {
    reported: async (report) => {
      playback.reported(report);
      return {};
    },
  });
  return {
    components: [started('playback', playback)],
    routes: ({ app }) => {
      playbackRoutes(app, { playback, rights });
    },
    close: async () => ranker?.close(),
  };
}
