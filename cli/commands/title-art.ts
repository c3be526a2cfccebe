import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { Argument, Command } from 'commander';

import { ArtworkList, ArtworkView, type ArtworkKind } from '../../common/contract/artwork.ts';
import { Type } from '../../common/contract/type.ts';
import { coded } from '../../common/runtime/errors.ts';
import type { CommandContext } from '../context.ts';
import { findTitle } from '../find-title.ts';
import { formatBytes } from '../output/format.ts';
import type { Output } from '../output/output.ts';
import type { CommandShell } from '../shell.ts';
import { uploadFile } from '../upload.ts';

const pollMs = 250;
const kinds: readonly ArtworkKind[] = ['poster', 'backdrop', 'logo', 'still'];

interface SetOptions {
  language?: string;
  onServer?: boolean;
  wait: boolean;
}

/** `nearcast title art set|list|remove`: the pictures of a title. */
export function titleArtCommand(shell: CommandShell): Command {
  const command = new Command('art').description('the pictures of a title: set, list, remove');
  command
    .command('set')
    .description(
      'give a title a picture (JPEG, PNG or WebP); it takes the place of that of its kind and language',
    )
    .argument('<title>', 'its id or name')
    .addArgument(new Argument('<kind>', 'what it is for').choices(kinds))
    .argument('<file>')
    .option('--language <language>', 'of what is written in it, as de or pt-BR')
    .option('--on-server', 'the file is a path on the control plane, under one of its ingest roots')
    .option('--no-wait', 'do not wait until its sizes are made')
    .action((...[title, kind, file, options]: [string, ArtworkKind, string, SetOptions]) =>
      shell.act((context) => setArtwork(context, { title, kind, file }, options)),
    );
  command
    .command('list <title>')
    .description('all of its pictures, and which boxes hold them')
    .action((title: string) =>
      shell.act(async ({ api, output }) => {
        const { id } = await findTitle(api, title);
        const { artwork } = await api.call({ path: `/v1/titles/${id}/artwork`, reply: ArtworkList });
        output.facts(artwork, () => {
          printArtwork(output, artwork);
        });
      }),
    );
  command
    .command('remove <title> <artwork>')
    .description('remove a picture by its id: links to it are refused within seconds')
    .action((title: string, artwork: string) =>
      shell.act(async ({ api, output }) => {
        const { id } = await findTitle(api, title);
        const path = `/v1/titles/${id}/artwork/${encodeURIComponent(artwork)}`;
        await api.call({ method: 'DELETE', path, reply: Type.Unknown() });
        output.facts({ removed: artwork }, () => {
          output.note(`${artwork} is removed`);
        });
      }),
    );
  return command;
}

async function setArtwork(
  context: CommandContext,
  { title, kind, file }: { title: string; kind: ArtworkKind; file: string },
  { language, onServer = false, wait }: SetOptions,
): Promise<void> {
  const { api, output } = context;
  const { id } = await findTitle(api, title);
  const source = onServer ? { path: resolve(file) } : { uploadId: await uploadFile(context, file) };
  const body = { kind, ...(language !== undefined && { language }), ...source };
  const set = await api.call({ method: 'POST', path: `/v1/titles/${id}/artwork`, body, reply: ArtworkView });
  const view = wait ? await waitUntilMade(context, set) : set;
  output.facts(view, () => {
    printArtwork(output, [view]);
  });
}

/** Errors: the encode's; ARTWORK_UNKNOWN where it was removed meanwhile. */
async function waitUntilMade({ api, signal }: CommandContext, set: ArtworkView): Promise<ArtworkView> {
  for (;;) {
    const path = `/v1/titles/${set.titleId}/artwork`;
    const { artwork } = await api.call({ path, reply: ArtworkList });
    const view = artwork.find(({ id }) => id === set.id);
    if (view === undefined) throw coded('ARTWORK_UNKNOWN', `${set.id}: another has taken its place`);
    if (view.state === 'failed' && view.error !== undefined)
      throw coded('ENCODE_FAILED', `${view.error.code}: ${view.error.detail}`);
    if (view.state === 'live') return view;
    await sleep(pollMs, undefined, { signal });
  }
}

function printArtwork(output: Output, artwork: readonly ArtworkView[]): void {
  output.table({
    head: ['id', 'kind', 'language', 'state', 'sizes', 'formats', 'size', 'held by'],
    rows: artwork.map(({ id, kind, language = '–', state, error, files = [], sizeBytes, holders }) => [
      ...[id, kind, language, error === undefined ? state : `${state}: ${error.code}`],
      [...new Set(files.map(({ width, height }) => `${width}x${height}`))].join(' '),
      [...new Set(files.map(({ ext }) => ext))].join(' '),
      ...[sizeBytes === undefined ? '–' : formatBytes(sizeBytes), holders.join(' ')],
    ]),
    empty: 'No pictures yet. `nearcast title art set TITLE poster FILE` gives it one.',
  });
}
