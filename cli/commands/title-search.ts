import { Command } from 'commander';

import { TitleSearchReply } from '../../common/contract/search.ts';
import type { Output } from '../output/output.ts';
import type { CommandShell } from '../shell.ts';

interface SearchOptions {
  kind?: string;
  genre?: string;
  person?: string;
  years?: string;
  maturityMax?: string;
  facets?: boolean;
}

/** `nearcast title search <words>`. */
export function titleSearchCommand(shell: CommandShell): Command {
  return new Command('search')
    .description('find titles by some words of their names; typos are forgiven')
    .argument('<words...>')
    .option('--kind <kind>', 'movie, series, season, episode or extra')
    .option('--genre <genre>', 'of this genre')
    .option('--person <name>', 'somebody who has a part in it, by the whole name')
    .option('--years <from-to>', 'as 1980-1989, or one year')
    .option('--maturity-max <age>', 'rated for this age at most')
    .option('--facets', 'count what is found by kind, genre, year and rating')
    .action((words: readonly string[], options: SearchOptions) =>
      shell.act(async ({ api, output }) => {
        const reply = await api.call({
          path: `/v1/search/titles?${queryOf(words, options).toString()}`,
          reply: TitleSearchReply,
        });
        output.facts(reply, () => {
          output.table({
            head: ['title', 'state', 'id'],
            rows: reply.hits.map(({ id, name, state }) => [name, state, id]),
            empty: 'Nothing was found.',
          });
          printFacets(output, reply.facets ?? {});
          if (reply.total > reply.hits.length)
            output.line(`${reply.total} were found; write more to see fewer.`);
        });
      }),
    );
}

function queryOf(words: readonly string[], options: SearchOptions): URLSearchParams {
  const { kind, genre, person, years, maturityMax, facets } = options;
  // The last word may be half a word: whoever wants to see more writes more.
  const query = new URLSearchParams({ q: words.join(' '), typing: 'true' });
  const [yearFrom, yearTo = yearFrom] = years?.split('-') ?? [];
  for (const [name, value] of Object.entries({ kind, genre, person, yearFrom, yearTo, maturityMax }))
    if (value !== undefined) query.set(name, value);
  if (facets === true) query.set('facets', 'true');
  return query;
}

function printFacets(output: Output, facets: NonNullable<TitleSearchReply['facets']>): void {
  const rows = Object.entries(facets).map(([name, counts]) => [
    name,
    Object.entries(counts)
      .map(([value, count]) => `${value} (${count})`)
      .join(', '),
  ]);
  if (rows.length > 0) output.table({ head: ['', 'found'], rows, empty: '' });
}
