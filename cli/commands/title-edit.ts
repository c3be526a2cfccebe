import { Command, Option } from 'commander';

import { TitleMetadata, TitleMetadataView } from '../../common/contract/title-metadata.ts';
import { TitleView } from '../../common/contract/titles.ts';
import { coded } from '../../common/runtime/errors.ts';
import { parseAs } from '../../common/runtime/parse.ts';
import { findTitle } from '../find-title.ts';
import type { CommandShell } from '../shell.ts';

/** `nearcast title edit`: shows or changes what is told of a title; a change by somebody else meanwhile is not lost but said. */
export function titleEditCommand(shell: CommandShell): Command {
  return new Command('edit')
    .description('show or change what is told of a title, and who may see it when')
    .argument('<title>', 'its id or name')
    .argument('[changes]', 'JSON of fields to set, as {"year": 1979, "synopsis": null}; null takes one away')
    .action((wanted: string, changes: string | undefined) =>
      shell.act(async ({ api, output }) => {
        const { id } = await findTitle(api, wanted);
        const path = `/v1/titles/${id}/metadata`;
        const read = await api.call({ path, reply: TitleMetadataView });
        const shown =
          changes === undefined
            ? read
            : await api.call({
                ...{ method: 'PUT', path, ifMatch: read.etag, reply: TitleMetadataView },
                body: changed(read.metadata, changes),
              });
        output.facts(shown.metadata, () => {
          const rows = Object.entries(shown.metadata).map(([field, value]) => [
            field,
            typeof value === 'object' ? JSON.stringify(value) : String(value),
          ]);
          output.table({ head: ['', ''], rows, empty: '' });
        });
      }),
    );
}

/** `nearcast title create`: makes a series or season, which have no video of their own. */
export function titleCreateCommand(shell: CommandShell): Command {
  return new Command('create')
    .description('make a series or a season, to hold episodes')
    .argument('<name>')
    .addOption(new Option('--kind <kind>', 'what it is').choices(['series', 'season']).makeOptionMandatory())
    .option('--of <title>', "a season's series, by id or name")
    .option('--number <number>', 'which season it is; 0 for specials', Number)
    .action((name: string, { kind, of, number }: { kind: string; of?: string; number?: number }) =>
      shell.act(async ({ api, output }) => {
        const parentId = of === undefined ? undefined : (await findTitle(api, of)).id;
        const body = { name, details: { kind, parentId, number } };
        const title = await api.call({ method: 'POST', path: '/v1/titles', body, reply: TitleView });
        output.facts(title, () => {
          output.table({ head: ['id', 'name'], rows: [[title.id, title.name]], empty: '' });
        });
      }),
    );
}

function changed(metadata: TitleMetadata, changes: string): TitleMetadata {
  const fields: [string, unknown][] = Object.entries({ ...metadata, ...parsed(changes) });
  const kept = Object.fromEntries(fields.filter(([, value]) => value !== null));
  return parseAs(TitleMetadata, kept, { what: 'the changed metadata' });
}

function parsed(changes: string): object {
  try {
    const value: unknown = JSON.parse(changes);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
  }
  throw coded('INVALID', `the changes are no JSON object like {"year": 1979}: ${changes.slice(0, 100)}`);
}
