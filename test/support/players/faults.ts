import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseMediaPlaylist, parseMultivariant } from '../../../cli/demo/player.ts';
import { NodeView } from '../../../common/contract/nodes.ts';
import type { PlaybackSession } from '../../../common/contract/playback.ts';
import { requestsMax, type PlayersRig } from './rig.ts';

/** What is done to the box that serves. */
export type BoxFault = 'killed' | 'stopped' | 'sheds' | 'drained' | 'ended' | 'cut';

/** How a reader is told of it. */
export const boxFaultText: Readonly<Record<BoxFault, string>> = {
  killed: 'process killed',
  stopped: 'takes requests and answers nothing (SIGSTOP)',
  sheds: 'sheds: at its limit of requests, 429',
  drained: 'drained by an operator',
  ended: 'ends in mid-play (SIGTERM)',
  cut: 'nothing answers for 8 s, as when the line of the viewer is gone',
};

/** Makes a box whole again, and waits until steering sees that all are. */
export type Heal = () => Promise<void>;

/** Makes the fault for real, by signals and requests. */
export async function breakBox(
  rig: PlayersRig,
  { fault, victim, session }: { fault: BoxFault; victim: string; session: PlaybackSession },
): Promise<Heal> {
  const { system } = rig.running;
  const found = system.processes.get(victim);
  if (found === undefined) throw new TypeError(`no process ${victim}`);
  const restart = async () => {
    await found.kill();
    await system.start(victim);
    await rig.healthy();
  };
  switch (fault) {
    case 'killed':
      await found.kill();
      return restart;
    case 'stopped':
      process.kill(found.pid, 'SIGSTOP');
      return restart;
    case 'ended':
      void found.stop();
      return restart;
    case 'cut':
      return await stopAll(rig);
    case 'drained':
      await drain(rig, victim, true);
      return async () => {
        await drain(rig, victim, false);
        await rig.healthy();
      };
    case 'sheds': {
      const held = await holdRequests(session, victim);
      return async () => {
        for (const socket of held) socket.destroy();
        await rig.healthy();
      };
    }
  }
}

const cutMs = 8000;

/** Stops every box and the origin for a while. */
async function stopAll({ running, healthy }: PlayersRig): Promise<Heal> {
  const { topology, processes } = running.system;
  const names = topology.nodes.filter(({ role }) => role === 'appliance' || role === 'origin');
  const pids = names.map(({ name }) => processes.get(name)?.pid).filter((pid) => pid !== undefined);
  for (const pid of pids) process.kill(pid, 'SIGSTOP');
  const isOver = sleep(cutMs).then(() => {
    for (const pid of pids) process.kill(pid, 'SIGCONT');
  });
  return async () => {
    await isOver;
    await healthy();
  };
}

async function drain({ running }: PlayersRig, box: string, isWanted: boolean): Promise<void> {
  const path = `/v1/nodes/${box}/drain`;
  await running.system.api.call({ method: 'POST', path, body: { drain: isWanted }, reply: NodeView });
}

/** More than the sockets' buffers hold. */
const repeats = 40;
const shedTimeoutMs = 5000;

/** Asks the box for whole files, as often as it answers at a time, reads nothing of them, and waits until it refuses others. */
async function holdRequests(session: PlaybackSession, box: string): Promise<readonly Socket[]> {
  const text = await (await fetch(session.hlsUrl)).text();
  const [playlist = ''] =
    parseMultivariant(text, session.hlsUrl).find(({ id }) => id === box)?.playlists ?? [];
  const { uri } = parseMediaPlaylist(await (await fetch(playlist)).text(), playlist);
  const { hostname, port, pathname } = new URL(uri);
  const request = `GET ${pathname} HTTP/1.1\r\nHost: ${hostname}\r\n\r\n`.repeat(repeats);
  const held = Array.from({ length: requestsMax }, () => {
    const socket = connect(Number(port), hostname).pause();
    socket.on('error', () => socket.destroy());
    socket.write(request);
    return socket;
  });
  const deadlineMs = performance.now() + shedTimeoutMs;
  while ((await fetch(uri, { method: 'HEAD' })).status !== 429) {
    if (performance.now() > deadlineMs) throw new Error(`${box} does not shed`);
    await sleep(20);
  }
  return held;
}
