import type { Letter } from '../../../common/adapters/mail/port.ts';
import type { AccountRecord } from './records.ts';

/** What is said to a person by a letter, but for whom it is. */
export type Said = Pick<Letter, 'subject' | 'text'>;

/** Leads to the page on which a new password is chosen. */
export function resetLetter({ name }: AccountRecord, { site, link }: { site: string; link: string }): Said {
  return {
    subject: 'Choose a new password',
    text: lines(
      `Hello ${name},`,
      `somebody, you perhaps, asked for a new password of your account at ${site}.`,
      'Choose one within half an hour by this address, which is good once:',
      link,
      'If it was not you, there is nothing to do: your password stays as it is.',
    ),
  };
}

/** Leads to the page on which an address is confirmed. */
export function confirmLetter({ name }: AccountRecord, { site, link }: { site: string; link: string }): Said {
  return {
    subject: 'Confirm your mail address',
    text: lines(
      `Hello ${name},`,
      `your account at ${site} has this mail address.`,
      'Confirm within a day that it is yours by this address:',
      link,
      'If you know of no account, there is nothing to do.',
    ),
  };
}

/** What lets a person or a machine in without the password, by the names that they were given: a new password ends none of it. */
export interface LeftWays {
  readonly passkeys: readonly string[];
  readonly apiTokens: readonly string[];
}

/** Says of each way that is left how it is ended; nothing where none is. Undefined: it could not be read. */
export function sayLeft(left: LeftWays | undefined): string[] {
  if (left === undefined)
    return ['Passkeys and API tokens are as they were. Remove on your account page what is not yours.'];
  const { passkeys, apiTokens } = left;
  return [
    ...(passkeys.length === 0
      ? []
      : [
          `Passkeys still sign you in: ${passkeys.join(', ')}. Remove on your account page what is not yours.`,
        ]),
    ...(apiTokens.length === 0
      ? []
      : [`API tokens still work: ${apiTokens.join(', ')}. End them by: nearcast token revoke.`]),
  ];
}

/** Says that a password was changed. */
export function changedLetter(
  { name }: AccountRecord,
  { site, left }: { site: string; left: LeftWays | undefined },
): Said {
  return {
    subject: 'Your password was changed',
    text: lines(
      `Hello ${name},`,
      `the password of your account at ${site} was changed by a link in a letter to this address, and you were signed out everywhere.`,
      ...sayLeft(left),
      'If it was not you, somebody reads your letters: tell whoever runs this service.',
    ),
  };
}

function lines(...paragraphs: readonly string[]): string {
  return `${paragraphs.join('\n\n')}\n`;
}
