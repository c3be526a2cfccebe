import { Command, InvalidArgumentError, Option } from 'commander';

import {
  Avatar,
  type CaptionWish,
  ProfileList,
  ProfileView,
  type ProfilePatch,
  type ProfileRequest,
} from '../../common/contract/profiles.ts';
import { Type } from '../../common/contract/type.ts';
import { coded } from '../../common/runtime/errors.ts';
import type { Output } from '../output/output.ts';
import { readPassword } from '../read-password.ts';
import type { CommandShell } from '../shell.ts';
import { accountIdOf } from './account.ts';

/** `nearcast profile list|add|set|remove`: those who watch with an account. */
export function profileCommand(shell: CommandShell): Command {
  const command = new Command('profile').description(
    'those who watch with an account: list, add, change, remove',
  );
  listCommand(command, shell);
  addCommand(command, shell);
  setCommand(command, shell);
  command
    .command('remove <profile>')
    .description('remove a profile with all that it has watched')
    .action((id: string) =>
      shell.act(async ({ api, output }) => {
        await api.call({ method: 'DELETE', path: pathOf(id), reply: Type.Unknown() });
        output.facts({ removed: id }, () => {
          output.line(`${id} is removed.`);
        });
      }),
    );
  return command;
}

function listCommand(command: Command, shell: CommandShell): void {
  command
    .command('list <account>')
    .description('the profiles of an account (id or address)')
    .action((who: string) =>
      shell.act(async ({ api, output }) => {
        const account = encodeURIComponent(await accountIdOf(api, who));
        const path = `/v1/profiles?account=${account}`;
        printProfiles(output, (await api.call({ path, reply: ProfileList })).profiles);
      }),
    );
}

interface Settings {
  avatar?: Avatar;
  maturity?: number;
  language?: string;
  audioLanguage?: string;
  captions?: CaptionWish;
  timeZone?: string;
  autoplay?: 'on' | 'off';
  pinFile?: string;
}

function withSettings(command: Command): Command {
  const avatars = Avatar.anyOf.map((one) => one.const);
  const maturity = new Option('--maturity <age>', 'the age up to which it sees titles; 18 for all');
  return command
    .addOption(new Option('--avatar <avatar>', 'its picture').choices(avatars))
    .addOption(maturity.argParser(Number))
    .addOption(
      new Option('--autoplay <when>', 'whether the next episode starts by itself').choices(['on', 'off']),
    )
    .option('--language <tag>', 'what it understands best, as en or pt-BR')
    .option('--audio-language <tag>', 'in which films sound where they can; its language unless told')
    .option(
      '--captions <what>',
      'a language, as de or de:sdh, or off; unless told they are on where a film does not sound in its language',
      captionsOf,
    )
    .option('--time-zone <name>', 'as Europe/Berlin')
    .option('--pin-file <file>', 'where its PIN stands, four to eight digits; - for standard input');
}

function captionsOf(typed: string): CaptionWish {
  if (typed === 'off') return 'off';
  const [, language, sdh] = /^([A-Za-z0-9-]{2,35})(:sdh)?$/.exec(typed) ?? [];
  if (language === undefined) throw new InvalidArgumentError('off, or a language as de, with :sdh for SDH');
  return { language, kind: sdh === undefined ? 'subtitles' : 'captions' };
}

async function settingsOf(
  { avatar, maturity, language, audioLanguage, captions, timeZone, autoplay, pinFile }: Settings,
  signal: AbortSignal,
): Promise<Omit<ProfileRequest, 'account' | 'name'>> {
  return {
    ...(avatar !== undefined && { avatar }),
    ...(maturity !== undefined && { maturityMax: maturity }),
    ...(autoplay !== undefined && { autoplay: autoplay === 'on' }),
    ...(language !== undefined && { language }),
    ...(audioLanguage !== undefined && { audioLanguage }),
    ...(captions !== undefined && { captions }),
    ...(timeZone !== undefined && { timeZone }),
    ...(pinFile !== undefined && { pin: await readPassword(pinFile, signal) }),
  };
}

function addCommand(command: Command, shell: CommandShell): void {
  withSettings(command.command('add <account> <name>'))
    .description('add a profile to an account (id or address)')
    .action((who: string, name: string, options: Settings) =>
      shell.act(async ({ api, output, signal }) => {
        const account = await accountIdOf(api, who);
        const body: ProfileRequest = { account, name, ...(await settingsOf(options, signal)) };
        const path = '/v1/profiles';
        printProfiles(output, [await api.call({ method: 'POST', path, body, reply: ProfileView })]);
      }),
    );
}

const clearable = {
  language: 'language',
  'audio-language': 'audioLanguage',
  captions: 'captions',
  'time-zone': 'timeZone',
  pin: 'pin',
} as const;

function setCommand(command: Command, shell: CommandShell): void {
  withSettings(command.command('set <profile>'))
    .description('change a profile')
    .option('--name <name>', 'its name')
    .addOption(new Option('--clear <what...>', 'take away').choices(Object.keys(clearable)))
    .action((id: string, options: Settings & { name?: string; clear?: (keyof typeof clearable)[] }) =>
      shell.act(async ({ api, output, signal }) => {
        const { name, clear = [] } = options;
        const body: ProfilePatch = {
          ...(await settingsOf(options, signal)),
          ...(name !== undefined && { name }),
          ...Object.fromEntries(clear.map((what) => [clearable[what], null])),
        };
        if (Object.keys(body).length === 0) throw coded('INVALID', 'say what is to change');
        printProfiles(output, [
          await api.call({ method: 'PATCH', path: pathOf(id), body, reply: ProfileView }),
        ]);
      }),
    );
}

function pathOf(id: string): string {
  return `/v1/profiles/${encodeURIComponent(id)}`;
}

function printProfiles(output: Output, profiles: readonly ProfileView[]): void {
  output.facts(profiles, () => {
    output.table({
      head: [
        'id',
        'name',
        'avatar',
        'up to age',
        'PIN',
        'language',
        'hears',
        'reads',
        'time zone',
        'autoplay',
      ],
      rows: profiles.map((profile) => {
        const { id, name, avatar, maturityMax, locked, language = '', timeZone = '', autoplay } = profile;
        return [
          ...[id, name, avatar, maturityMax === 18 ? 'all' : String(maturityMax), locked ? 'yes' : 'no'],
          ...[language, profile.audioLanguage ?? language, captionsText(profile), timeZone],
          autoplay ? 'on' : 'off',
        ];
      }),
      empty: 'The account has no profiles.',
    });
  });
}

function captionsText({ captions }: ProfileView): string {
  if (captions === undefined) return 'where needed';
  if (captions === 'off') return captions;
  return captions.kind === 'captions' ? `${captions.language} (SDH)` : captions.language;
}
