// `./dev bench loop [VIDEO]`: how long the loop takes beyond the encode itself, and what each process costs to start and when idle.
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

import { createTitle, waitUntilLive } from '../../cli/commands/title.ts';
import { makeVideo } from '../../cli/demo/video.ts';
import { TitleView } from '../../common/contract/titles.ts';
import { lessIsBetter, runBench, type Figure } from '../support/bench.ts';
import { startTestSystem } from '../support/system.ts';

const idleMs = 5000;
const budgetMs = 15_000;
const ready = [500, 'ms'] as const;
const idle = [120, 'MiB'] as const;

await runBench('loop', async ({ quick, files }) => {
  const startedMs = performance.now();
  await using running = await startTestSystem({ portOffset: 16_000 });
  const { system, context, dataDir } = running;
  const upMs = performance.now() - startedMs;
  await sleep(quick ? 1000 : idleMs);
  const figures: Figure[] = [];
  const limit = (name: string, ours: number, [theirs, unit]: readonly [number, string]) =>
    lessIsBetter({ name, ours, peer: 'limit', theirs, unit, goal: 1 });
  // The first start makes keys, enrols, and shares the machine with the others' starts.
  for (const { name, readyMs } of system.processes.values())
    figures.push(limit(`first.${name}`, readyMs, ready));
  for (const { name, pid } of system.processes.values()) {
    figures.push(limit(`idle.${name}`, await residentMiB(pid), idle));
  }
  for (const name of [...system.processes.keys()]) {
    await system.processes.get(name)?.stop();
    figures.push(limit(`ready.${name}`, (await system.start(name)).readyMs, ready));
  }
  await system.settled();
  const file = files[0] ?? (await makeVideo(dataDir, context.signal));
  const ingestMs = performance.now();
  const title = await createTitle(context, file, { pin: true });
  const boxes = system.topology.nodes.filter((node) => node.role === 'appliance');
  for (;;) {
    const { state } = await context.api.call({ path: `/v1/titles/${title.id}`, reply: TitleView });
    if (state !== 'queued' && state !== 'encoding') break;
    await sleep(50);
  }
  const encodedMs = performance.now() - ingestMs;
  await waitUntilLive(
    context,
    title.id,
    boxes.map(({ name }) => name),
  );
  const beyondMs = upMs + performance.now() - ingestMs - encodedMs;
  const unit = 's';
  figures.unshift(
    lessIsBetter({
      name: 'loop.beyond.encode',
      ours: beyondMs / 1000,
      peer: 'limit',
      theirs: budgetMs / 1000,
      unit,
      goal: 1,
    }),
  );
  process.stderr.write(`encode ${(encodedMs / 1000).toFixed(1)} s of ${file}\n`);
  return figures;
});

async function residentMiB(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1024;
}
