import { join } from 'node:path';

import { createTitle, waitUntilLive } from '../../cli/commands/title.ts';
import { openPlayer, playThrough, startSession } from '../../cli/demo/check.ts';
import { makeClip } from './clip.ts';
import { untilHealthy } from './healthy-boxes.ts';
import type { ProofOptions, ProofResult } from './proof.ts';
import { pick, seededRandom } from './seeded.ts';
import { startTestSystem } from './system.ts';

const victims = ['isp-a-1', 'isp-a-2', 'isp-b-1', 'control-plane', 'steering'];

/** Plays a title `rounds` times while a random process is killed in each, and verifies every byte of each playback. */
export async function proveKills({ seed, rounds }: ProofOptions): Promise<ProofResult> {
  const random = seededRandom(seed);
  await using running = await startTestSystem({ portOffset: 20_000 });
  const { system, context, dataDir } = running;
  const film = await createTitle(context, await makeClip(join(dataDir, 'film.mp4'), { lengthS: 40 }), {
    pin: true,
  });
  const boxes = system.topology.nodes.filter((node) => node.role === 'appliance').map((node) => node.name);
  const title = await waitUntilLive(context, film.id, boxes);
  const check = { ...context, system, title };
  const kills: Record<string, number> = {};
  const failures: string[] = [];
  let failovers = 0;
  for (let round = 1; round <= rounds; round++) {
    const victim = victims[pick(random, victims.length)] ?? 'isp-a-1';
    const moment = random();
    kills[victim] = (kills[victim] ?? 0) + 1;
    try {
      const player = await openPlayer(check, await startSession(check, '127.0.0.1'));
      let killed = false;
      await playThrough(player, async (share) => {
        if (killed || share < moment) return;
        killed = true;
        await system.processes.get(victim)?.kill();
      });
      failovers += player.fetched.failovers;
      await system.start(victim);
      await system.settled();
      await untilHealthy(running, boxes);
    } catch (error) {
      failures.push(`round ${round}, ${victim} at ${moment.toFixed(2)}: ${String(error)}`);
      break;
    }
  }
  const counted = Object.entries(kills).map(([name, count]) => `${name} ${count}`);
  return {
    holds: failures.length === 0,
    lines: [`Killed: ${counted.join(', ')}`, `Failovers of the player: ${failovers}`, ...failures],
  };
}
