import { Command } from 'commander';

import { AccessTokenReply } from '../../common/contract/credentials.ts';
import { ProfileView } from '../../common/contract/profiles.ts';
import type { Api } from '../api.ts';
import { findTitle } from '../find-title.ts';
import type { CommandShell } from '../shell.ts';

const linkLifeS = 86_400;

/** `nearcast play TITLE`: a link to the player with a viewer's token of a day. */
export function playCommand(shell: CommandShell): Command {
  return new Command('play')
    .description("print a link to the title's player page, good for a day")
    .argument('<title>', 'id or name')
    .option('--profile <profile>', 'who watches: it goes on, sounds and is captioned as for them')
    .action((title: string, { profile }: { profile?: string }) =>
      shell.act(async ({ api, output }) => {
        const found = await findTitle(api, title);
        const url = await playerUrl(api, found.id, profile);
        output.facts({ titleId: found.id, url }, () => {
          output.line(url);
        });
      }),
    );
}

/** `nearcast console`: a link to the console with a token of a day that reads and changes nothing. */
export function consoleCommand(shell: CommandShell): Command {
  return new Command('console').description('print a link to the console, good for a day').action(() =>
    shell.act(async ({ api, output }) => {
      const url = await consoleUrl(api);
      output.facts({ url }, () => {
        output.line(url);
      });
    }),
  );
}

/** The player's address; the token stands in the fragment, which browsers send nowhere. */
export async function playerUrl(api: Api, titleId: string, profileId?: string): Promise<string> {
  const query = new URLSearchParams({ title: titleId });
  if (profileId === undefined) {
    const token = await accessToken(api, { role: 'viewer' });
    return new URL(`/play/?${query.toString()}#token=${token}`, api.server).href;
  }
  const path = `/v1/profiles/${encodeURIComponent(profileId)}`;
  const { id, accountId } = await api.call({ path, reply: ProfileView });
  query.set('profile', id);
  const token = await accessToken(api, { role: 'viewer', sub: accountId });
  return new URL(`/play/?${query.toString()}#token=${token}`, api.server).href;
}

/** The console's address, for whoever may see everything. */
export async function consoleUrl(api: Api): Promise<string> {
  return new URL(`/console/#token=${await accessToken(api, { role: 'operator', scope: 'read' })}`, api.server)
    .href;
}

async function accessToken(
  api: Api,
  grant: { role: 'viewer' | 'operator'; scope?: string; sub?: string },
): Promise<string> {
  const body = { sub: `${grant.role} link`, ...grant, ttlS: linkLifeS };
  return (
    await api.call({
      method: 'POST',
      path: '/v1/access-tokens',
      body,
      reply: AccessTokenReply,
    })
  ).token;
}
