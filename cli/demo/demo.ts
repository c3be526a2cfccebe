import { mkdtemp, mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { styleText } from 'node:util';

import { FillReportView } from '../../common/contract/fill.ts';
import type { TitleView } from '../../common/contract/titles.ts';
import { coded, toCoded } from '../../common/runtime/errors.ts';
import type { CommandContext } from '../context.ts';
import { consoleUrl, playerUrl } from '../commands/play.ts';
import { printFillReport } from '../output/fill-report.ts';
import { explain, printExplain } from '../commands/steer.ts';
import { createTitle, waitUntilLive } from '../commands/title.ts';
import { allTitles } from '../find-title.ts';
import { openSource } from '../upload.ts';
import { formatBytes, formatDuration } from '../output/format.ts';
import type { Output } from '../output/output.ts';
import { checkLoop } from './check.ts';
import { demoFillCapBytesPerSecond, startSystem, type DemoSystem } from './system.ts';
import { createTopology, demoClients } from './topology.ts';
import { makeVideo } from './video.ts';

/** How the demo is run. */
export interface DemoOptions {
  readonly file: string | undefined;
  readonly check: boolean;
  /** Where everything lives; a check without one uses a fresh directory and removes it. */
  readonly dataDir: string | undefined;
  readonly portOffset: number;
  readonly env: NodeJS.ProcessEnv;
  readonly output: Output;
  readonly signal: AbortSignal;
}

export const demoDataDir = '.nearcast-demo';
const restartDelayMs = 15_000;
const knownTimeoutMs = 12_000;
const pollMs = 100;

/** Runs all of Nearcast on this machine and closes the loop on one video. Returns whether every proof held. */
export async function runDemo(options: DemoOptions): Promise<boolean> {
  const { output, check, file } = options;
  // Before seven processes start for nothing.
  if (file !== undefined) await openSource(file).then(({ handle }) => handle.close());
  const fresh = check && options.dataDir === undefined;
  const dataDir = fresh
    ? await mkdtemp(join(tmpdir(), 'nearcast-check-'))
    : resolve(options.dataDir ?? demoDataDir);
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const startedMs = performance.now();
  let proved = false;
  const topology = createTopology(options.portOffset);
  const system = await startSystem({ dataDir, topology, env: options.env, signal: options.signal });
  const over = new AbortController();
  try {
    const slowest = Math.max(...[...system.processes.values()].map((one) => one.readyMs));
    output.line(
      `✔ ${system.processes.size} processes up, the slowest ready after ${formatDuration(slowest)}; data and logs in ${dataDir}`,
    );
    await system.settled();
    // A check kills on purpose.
    const signal = AbortSignal.any([options.signal, over.signal]);
    if (!check) for (const name of system.processes.keys()) void keepAlive(system, name, { output, signal });
    const context: CommandContext = {
      api: system.api,
      output,
      signal: options.signal,
    };
    const title = await ingest(context, system, file ?? (await makeVideo(dataDir, options.signal)));
    await report(context, title);
    output.line(`✔ the loop is closed ${formatDuration(performance.now() - startedMs)} after the start`);
    if (check)
      proved = await checkLoop({
        system,
        output,
        title,
        signal: options.signal,
      });
    else await stayUp({ ...options, context, system, title, dataDir });
  } finally {
    over.abort();
    await system.stop();
    if (fresh && proved) await rm(dataDir, { recursive: true, force: true });
    else if (fresh) output.note(`The logs are kept in ${join(dataDir, 'logs')}.`);
  }
  return proved || !check;
}

/** Adds the video, or takes the title of an earlier run that has its name. */
async function ingest(context: CommandContext, system: DemoSystem, file: string): Promise<TitleView> {
  const boxes = system.topology.nodes.filter((node) => node.role === 'appliance').map((node) => node.name);
  const name = nameOf(file);
  const titles = await allTitles(context.api, { name });
  const known = titles.find((title) => title.name === name && title.state !== 'failed');
  if (known !== undefined) context.output.line(`✔ ${name} is there from an earlier run`);
  const title = known ?? (await createTitle(context, file, { name, pin: true }));
  return await waitUntilLive(context, title.id, boxes);
}

function nameOf(file: string): string {
  return file.slice(file.lastIndexOf('/') + 1).replace(/\.[A-Za-z0-9]{1,5}$/, '');
}

/** Whether control plane and steering both know by now what the boxes hold; after a start that takes some heartbeats. */
async function isKnown({ api }: CommandContext, bundle: string): Promise<boolean> {
  const { appliances } = await api.call({ path: '/v1/fill/report', reply: FillReportView });
  const isPlanned = appliances.every((row) => row.plannedFiles > 0 && row.heldFiles === row.plannedFiles);
  const { candidates } = await explain(api, { client: demoClients[0].address, bundle });
  return isPlanned && candidates.every(({ removedBy }) => removedBy === null || removedBy === 'no-route');
}

async function report(context: CommandContext, title: TitleView): Promise<void> {
  const { api, output, signal } = context;
  const { bundle } = title;
  if (bundle === undefined) throw coded('TITLE_NOT_LIVE', title.name);
  const deadlineMs = performance.now() + knownTimeoutMs;
  while (!(await isKnown(context, bundle)) && performance.now() < deadlineMs) {
    await sleep(pollMs, undefined, { signal });
  }
  output.line(styleText('bold', `\nFill report, cap ${formatBytes(demoFillCapBytesPerSecond)}/s a box`));
  printFillReport(output, await api.call({ path: '/v1/fill/report', reply: FillReportView }));
  for (const { address, where } of demoClients) {
    output.line(styleText('bold', `\nSteering of a client ${where}`));
    printExplain(output, await explain(api, { client: address, bundle }), { title: title.name });
  }
  output.line('');
}

async function stayUp(
  options: DemoOptions & {
    context: CommandContext;
    system: DemoSystem;
    title: TitleView;
    dataDir: string;
  },
): Promise<void> {
  const { context, system, title, output, signal } = options;
  const { api } = context;
  const { dns } = system.topology;
  output.line(styleText('bold', 'Watch, and kill a box while you do:'));
  output.line(`  player    ${styleText('cyan', await playerUrl(api, title.id))}`);
  output.line(`  console   ${styleText('cyan', await consoleUrl(api))}`);
  output.line(`  API       ${styleText('cyan', new URL('/docs', api.server).href)}`);
  output.line(`  DNS       dig @${dns.host} -p ${dns.port} play.${dns.zone} +subnet=198.51.100.0/24`);
  const tokenFile = join(options.dataDir, 'control-plane', 'operator.token');
  output.line(`  CLI       ./dev nearcast --server ${api.server} --token-file ${tokenFile} status`);
  for (const name of ['isp-a-1', 'isp-a-2'])
    output.line(`  kill -9 ${system.processes.get(name)?.pid ?? ''}   ends ${name}`);
  output.line('Ctrl-C stops everything; the next run picks up here.');
  await new Promise<void>((done) => {
    signal.addEventListener('abort', () => {
      done();
    });
  });
}

/** Says when a process ended and starts it again after a while, so that the healing can be watched too. */
async function keepAlive(
  system: DemoSystem,
  name: string,
  { output, signal }: Pick<DemoOptions, 'output' | 'signal'>,
): Promise<void> {
  // A function, since the signal changes while this waits.
  const isOver = () => signal.aborted;
  while (!isOver()) {
    const ended = await system.processes.get(name)?.ended;
    if (isOver()) return;
    output.line(
      `✖ ${name} ended (${ended ?? 'unknown'}); it is started again in ${formatDuration(restartDelayMs)}`,
    );
    await new Promise((done) => setTimeout(done, restartDelayMs).unref());
    if (isOver()) return;
    const again = await system.start(name).catch((error: unknown) => toCoded(error));
    output.line('pid' in again ? `✔ ${name} is up again, process ${again.pid}` : `✖ ${again.message}`);
    if (!('pid' in again)) return;
  }
}
