import { Email } from '../../contract/accounts.ts';
import { Line, ObjectId } from '../../contract/primitives.ts';
import type { Clock } from '../../runtime/clock.ts';
import { coded } from '../../runtime/errors.ts';
import { matches } from '../../runtime/parse.ts';
import type { Letter } from './port.ts';

/** What every engine needs beside the letters. */
export interface MailOptions {
  /** The address that letters are from. */
  readonly from: string;
  readonly clock: Pick<Clock, 'nowMs'>;
}

/** A letter as it travels (RFC 5322). Errors: INVALID. */
export async function composeLetter(
  { id, accountId, to, subject, text }: Letter,
  { from, clock }: MailOptions,
): Promise<Buffer> {
  // The library folds and encodes what it is given; a second line here is somebody's attempt, and is refused instead.
  if (!matches(ObjectId, id) || !matches(ObjectId, accountId))
    throw coded('INVALID', 'the letter has no fit id');
  if (!matches(Email, to.address)) throw coded('INVALID', 'the letter has no fit address');
  if (!matches(Line, to.name) || !matches(Line, subject))
    throw coded('INVALID', 'name and subject of a letter are one line each');
  // Loaded with the first letter.
  const { default: MailComposer } = await import('nodemailer/lib/mail-composer');
  const composer = new MailComposer({
    from: { name: 'Nearcast', address: from },
    ...{ to, subject, text, date: new Date(clock.nowMs()) },
    messageId: `<${id}@${from.slice(from.lastIndexOf('@') + 1)}>`,
    // RFC 3834 §5: nobody's holiday notice is to answer it.
    headers: { 'Auto-Submitted': 'auto-generated' },
    ...{ disableFileAccess: true, disableUrlAccess: true },
  });
  return composer.compile().build();
}
