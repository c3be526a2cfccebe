import { Type } from '../../../common/contract/type.ts';
import { defineInterface, Nothing } from '../../apart/interface.ts';

/** What the status needs of playback. */
export const playbackCounts = defineInterface({
  service: 'playback',
  name: 'playback-counts',
  verbs: {
    /** How many sessions were made since midnight UTC. */
    sessionsToday: { ask: Nothing, answer: Type.Object({ sessions: Type.Integer() }), isRepeatable: true },
  },
});
