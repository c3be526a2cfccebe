import { setTimeout as sleep } from 'node:timers/promises';

import { Command, Option } from 'commander';

import { TitleRequest, TitleState, TitleView } from '../../common/contract/titles.ts';
import { coded } from '../../common/runtime/errors.ts';
import { parseAs } from '../../common/runtime/parse.ts';
import type { CommandContext } from '../context.ts';
import { captionsOf, namedCaptions, uploadCaptions, type NamedCaptions } from '../captions.ts';
import { allTitles, findTitle } from '../find-title.ts';
import { formatBytes, formatDuration, formatPercent } from '../output/format.ts';
import type { Output } from '../output/output.ts';
import type { CommandShell } from '../shell.ts';
import { uploadFile } from '../upload.ts';
import { titleArtCommand } from './title-art.ts';
import { titleCreateCommand, titleEditCommand } from './title-edit.ts';
import { forecastText, titleForecastCommand } from './title-forecast.ts';
import { titleImportCommand } from './title-import.ts';
import { titleSearchCommand } from './title-search.ts';
import { titleWithdrawalsCommand, titleWithdrawCommand } from './title-withdraw.ts';

const pollMs = 250;
const states = TitleState.anyOf.map((one) => one.const);

/** Commands with files of their own. */
const more = [
  titleImportCommand,
  titleSearchCommand,
  titleCreateCommand,
  titleEditCommand,
  titleArtCommand,
  titleForecastCommand,
  titleWithdrawCommand,
  titleWithdrawalsCommand,
];

/** `nearcast title add|create|import|list|search|show|edit|art|pin|unpin|forecast|withdraw|withdrawals`. */
export function titleCommand(shell: CommandShell): Command {
  const command = new Command('title').description(
    'what can be watched: add, create, import, list, search, show, edit, art, pin, forecast, withdraw',
  );
  command
    .command('add <file>')
    .description('upload a video and have it encoded; a broken upload is resumed by running it again')
    .option('--name <name>', 'how it is called (by its own tags, else as the file)')
    .option('--pin', 'hold it in every cluster, however few watch it')
    .option('--urgent', 'boxes fill it at once, whatever their window')
    .option(
      '--captions <file:language>',
      'captions for it, as film.srt:de, with :forced or :sdh behind; again for more; those beside it are taken along',
      namedCaptions,
    )
    .option('--no-captions', 'take no captions along')
    .option('--on-server', 'the file is a path on the control plane, under one of its ingest roots')
    .option('--no-wait', 'do not wait for the encode and the fill')
    .action((file: string, options: AddOptions) => shell.act((context) => addTitle(context, file, options)));
  command
    .command('list')
    .description('every title')
    .addOption(new Option('--state <state>', 'those in this state').choices(states))
    .action(({ state }: { state?: TitleState }) =>
      shell.act(async ({ api, output }) => {
        const titles = await allTitles(api, { state });
        output.facts(titles, () => {
          printTitles(output, titles, state);
        });
      }),
    );
  command
    .command('show <title>')
    .description('one title, by id or name')
    .action((title: string) =>
      shell.act(async ({ api, output }) => {
        const found = await findTitle(api, title);
        output.facts(found, () => {
          output.table({ head: ['', ''], rows: titleFacts(found), empty: '' });
        });
      }),
    );
  for (const [verb, pinned] of [
    ['pin', true],
    ['unpin', false],
  ] as const) {
    const pin = command
      .command(`${verb} <title>`)
      .description(pinned ? 'hold it in every cluster' : 'let popularity decide where it is held');
    if (pinned) pin.option('--urgent', 'and fill it at once, whatever the window');
    pin.action((title: string, { urgent }: { urgent?: boolean }) =>
      shell.act(async ({ api, output }) => {
        const { id } = await findTitle(api, title);
        const path = `/v1/titles/${id}`;
        // What is no longer pinned is in no hurry either.
        const body = { pinned, ...((urgent === true || !pinned) && { urgent: pinned }) };
        const changed = await api.call({ method: 'PATCH', path, body, reply: TitleView });
        output.facts(changed, () => {
          printTitles(output, [changed]);
        });
      }),
    );
  }
  for (const make of more) command.addCommand(make(shell));
  return command;
}

interface SourceOptions {
  name?: string;
  pin?: boolean;
  urgent?: boolean;
  onServer?: boolean;
  /** Those that were named; true: what lies beside it, false: none. */
  captions?: NamedCaptions[] | boolean;
}

interface AddOptions extends SourceOptions {
  wait: boolean;
}

/** Uploads a video, creates its title and waits until it is live. Errors: the upload's, the encode's. */
async function addTitle(context: CommandContext, file: string, options: AddOptions): Promise<void> {
  const { api, output } = context;
  const title = await createTitle(context, file, options);
  const last = options.wait ? await waitUntilLive(context, title.id) : title;
  output.facts(last, () => {
    printTitles(output, [last]);
    for (const notice of last.notices ?? []) output.note(notice);
    if (!options.wait)
      output.note(`Follow it with \`nearcast title show ${last.id}\`. The control plane is ${api.server}.`);
  });
}

/** Uploads (or names) the source and creates the title. */
export async function createTitle(
  context: CommandContext,
  file: string,
  options: SourceOptions,
): Promise<TitleView> {
  const name = options.name ?? file.slice(file.lastIndexOf('/') + 1).replace(/\.[A-Za-z0-9]{1,5}$/, '');
  // Before the upload, which may take hours.
  parseAs(TitleRequest, { name }, { what: 'the title' });
  const source = await sourceOf(context, file, options);
  const flags = { pinned: options.pin === true, ...(options.urgent === true && { urgent: true }) };
  const body = { name, ...flags, ...source, ...(options.name === undefined && { assumed: ['name'] }) };
  return await context.api.call({
    method: 'POST',
    path: '/v1/titles',
    body,
    reply: TitleView,
    timeoutMs: 120_000,
  });
}

/** What a title is made of: paths that are there, or uploads of what is here. */
async function sourceOf(
  context: CommandContext,
  file: string,
  { onServer = false, captions = true }: SourceOptions,
): Promise<Pick<TitleRequest, 'path' | 'uploadId' | 'captions'>> {
  const named = Array.isArray(captions) ? captions : [];
  if (onServer) return { path: file, ...(named.length > 0 && { captions: named }) };
  // Before the upload of the video, which may take hours.
  const taken = await captionsOf(file, { named, beside: captions !== false });
  const uploadId = await uploadFile(context, file);
  const uploaded = await uploadCaptions(context, taken);
  return { uploadId, ...(uploaded.length > 0 && { captions: uploaded }) };
}

/** Shows the encode's and the fill's progress until the title is live, and with `holders` held by all of them and live at every site. Throws the title's own failure. */
export async function waitUntilLive(
  { api, output, signal }: CommandContext,
  id: string,
  holders: readonly string[] = [],
): Promise<TitleView> {
  const encode = output.progress('encode');
  let fill: ReturnType<Output['progress']> | undefined;
  const startedMs = performance.now();
  let isFirst = true;
  for (;;) {
    const view = await api.call({ path: `/v1/titles/${id}`, reply: TitleView });
    const took = formatDuration(performance.now() - startedMs);
    if (view.error !== undefined && view.state === 'failed') {
      encode.fail(view.error.code);
      throw coded('ENCODE_FAILED', `${view.name}: ${view.error.code}: ${view.error.detail}`);
    }
    const isHeld = holders.every((holder) => view.holders.includes(holder));
    const isThere =
      view.state === 'live' && isHeld && (holders.length === 0 || view.waitingSites === undefined);
    // Nothing to watch where all of it was done before.
    if (isThere && isFirst) return view;
    isFirst = false;
    const isEncoding = view.state === 'queued' || view.state === 'encoding';
    if (isEncoding) encode.update(view.progress, view.stage);
    if (!isEncoding && fill === undefined) {
      encode.done(`${took}, ${view.renditions.join(' ')}, ${formatBytes(view.sizeBytes ?? 0)}`);
      fill = output.progress('fill');
    }
    if (isThere) {
      fill?.done(`${took} since the start; held by ${view.holders.join(', ')}`);
      return view;
    }
    if (view.state === 'filling')
      fill?.update(view.progress, `held by ${view.holders.join(', ') || 'nobody yet'}`);
    await sleep(pollMs, undefined, { signal });
  }
}

function printTitles(output: Output, titles: readonly TitleView[], state?: TitleState): void {
  output.table({
    head: ['id', 'name', 'state', 'progress', 'length', 'size', 'renditions', 'held by', 'pinned'],
    rows: titles.map((title) => [
      title.id,
      title.name,
      stateOf(title),
      formatPercent(title.progress),
      title.durationMs === undefined ? '–' : formatDuration(title.durationMs),
      title.sizeBytes === undefined ? '–' : formatBytes(title.sizeBytes),
      title.renditions.join(' '),
      title.holders.join(' '),
      [title.pinned ? 'yes' : '', title.urgent === true ? 'urgent' : ''].filter(Boolean).join(', '),
    ]),
    empty:
      state === undefined ? 'No titles yet. `nearcast title add FILE` adds one.' : `No title is ${state}.`,
  });
}

function stateOf({ state, error, replacement }: TitleView): string {
  if (replacement === undefined) return error === undefined ? state : `${state}: ${error.code}`;
  const { state: next, progress, error: failure } = replacement;
  return `${state}; its new video ${failure === undefined ? `${next} ${formatPercent(progress)}` : `failed: ${failure.code}`}`;
}

function replacementFacts({ replacement, former = [] }: TitleView): string[][] {
  const facts = former.map(({ bundle, sites, heldUntilMs }) => [
    'earlier bundle',
    sites === undefined
      ? `${bundle}, held for running sessions until ${new Date(heldUntilMs ?? 0).toISOString()}`
      : `${bundle}, played at ${sites.join(' ')} until enough copies of the new one stand there`,
  ]);
  if (replacement === undefined) return facts;
  const { state, progress, stage, error, bundle } = replacement;
  const how = error === undefined ? `${formatPercent(progress)}, ${stage}` : `${error.code}: ${error.detail}`;
  return [['new video', `${state}, ${how}${bundle === undefined ? '' : `, ${bundle}`}`], ...facts];
}

function titleFacts(title: TitleView): string[][] {
  return [
    ['id', title.id],
    ['name', title.name],
    [
      'state',
      `${title.state}, ${formatPercent(title.progress)}${title.stage === '' ? '' : `, ${title.stage}`}`,
    ],
    ...(title.error === undefined ? [] : [['error', `${title.error.code}: ${title.error.detail}`]]),
    ...(title.notices ?? []).map((notice) => ['left out', notice]),
    ...(title.waitingSites === undefined ? [] : [['not live yet at', title.waitingSites.join(' ')]]),
    ['added', new Date(title.createdAtMs).toISOString()],
    ['length', title.durationMs === undefined ? '–' : formatDuration(title.durationMs)],
    ['size', title.sizeBytes === undefined ? '–' : formatBytes(title.sizeBytes)],
    ['bundle', title.bundle ?? '–'],
    ...replacementFacts(title),
    ['renditions', title.renditions.join(' ')],
    ['held by', title.holders.join(' ')],
    ['popularity', title.popularity.toFixed(2)],
    ['pinned', title.pinned ? 'yes' : 'no'],
    ['forecast', forecastText(title)],
    ['urgent', title.urgent === true ? 'yes: filled at once, whatever the window' : 'no'],
  ];
}
