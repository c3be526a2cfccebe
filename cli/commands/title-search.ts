import { Command } from 'commander';

import { TitleSearchReply } from '../../common/contract/search.ts';
import type { CommandShell } from '../shell.ts';

/** `nearcast title search <words>`. */
export function titleSearchCommand(shell: CommandShell): Command {
  return new Command('search')
    .description('find titles by some words of their names; typos are forgiven')
    .argument('<words...>')
    .action((words: readonly string[]) =>
      shell.act(async ({ api, output }) => {
        // The last word may be half a word: whoever wants to see more writes more.
        const query = new URLSearchParams({ q: words.join(' '), typing: 'true' });
        const reply = await api.call({
          path: `/v1/search/titles?${query.toString()}`,
          reply: TitleSearchReply,
        });
        output.facts(reply, () => {
          output.table({
            head: ['title', 'state', 'id'],
            rows: reply.hits.map(({ id, name, state }) => [name, state, id]),
            empty: 'Nothing was found.',
          });
          if (reply.total > reply.hits.length)
            output.line(`${reply.total} were found; write more to see fewer.`);
        });
      }),
    );
}
