import { unescape } from 'node:querystring';
import { fileURLToPath } from 'node:url';
import { coded } from '../../runtime/errors.ts';
import type { MailOptions } from './compose.ts';
import type { Mail } from './port.ts';

export interface OpenMailOptions extends MailOptions {
  /** Of the user whom the URL names. */
  readonly password: string | undefined;
}

/**
 * Opens mail by URL: `file:///absolute/directory`, `smtps://user@host:465`, or `smtp://user@host:587`, which goes on only over
 * STARTTLS unless the host is this machine. Nothing is connected before the first letter.
 * Errors: CONFIG_INVALID for a URL that names no engine, and for a user without a password or the other way round.
 */
export async function openMail(url: string, { password, ...options }: OpenMailOptions): Promise<Mail> {
  const parsed = URL.parse(url);
  if (parsed?.protocol === 'file:' && parsed.host === '') {
    const { openFileMail } = await import('./file.ts');
    return openFileMail(fileURLToPath(parsed), options);
  }
  const isServer = parsed?.protocol === 'smtp:' || parsed?.protocol === 'smtps:';
  const isPlain = isServer && parsed.hostname !== '' && /^\/?$/.test(parsed.pathname) && parsed.search === '';
  if (!isPlain)
    throw coded(
      'CONFIG_INVALID',
      'mail is opened by file:///absolute/directory, smtps://user@host:465 or smtp://user@host:587',
    );
  if (parsed.password !== '')
    throw coded('CONFIG_INVALID', 'the password of the mail server belongs into a file, not into the URL');
  const user = unescape(parsed.username);
  if ((user === '') !== (password === undefined))
    throw coded('CONFIG_INVALID', 'a user of the mail server needs a password, and a password a user');
  const isTls = parsed.protocol === 'smtps:';
  const { openSmtpMail } = await import('./smtp.ts');
  return openSmtpMail({
    ...options,
    host: parsed.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: parsed.port === '' ? (isTls ? 465 : 587) : Number(parsed.port),
    isTls,
    ...(password !== undefined && { login: { user, pass: password } }),
  });
}
