import fc from 'fast-check';
import type t from 'tap';

import type { Letter, Mail } from '../../common/adapters/mail/port.ts';
import { isCoded } from '../../common/runtime/errors.ts';
import { fieldOf, readLetter, type ReadLetter } from '../support/read-letter.ts';

type Test = Pick<typeof t, 'test'>;

/** A way for letters, and what has come out at its other end. */
export interface MailLab {
  readonly mail: Mail;
  letters(): Promise<readonly string[]>;
}

const letter: Letter = {
  id: 'let_0123456789',
  accountId: 'acc_0123456789',
  to: { name: 'Ada', address: 'ada@example.com' },
  subject: 'Hello',
  text: 'Hello Ada,\n\nthis is all.\n',
};
const within = { signal: AbortSignal.timeout(60_000) };

/** Every field that a letter has, and no other. */
const fieldNames = [
  ...['auto-submitted', 'content-transfer-encoding', 'content-type', 'date', 'from', 'message-id'],
  ...['mime-version', 'subject', 'to'],
];

/** The behaviour that every engine of the mail port has; letters are from `nearcast@cdn.example`. */
export function mailConformance(t: Test, openLab: () => Promise<MailLab>): void {
  t.test('a letter arrives as it was written', async (t) => {
    const { mail, letters } = await openLab();
    await mail.send(letter, within);
    const [data = '', ...more] = await letters();
    t.strictSame(more, []);
    const read = readLetter(data);
    t.strictSame(read.fields.map(([name]) => name).sort(), fieldNames);
    t.strictSame(fieldOf(read, 'to'), ['Ada <ada@example.com>']);
    t.strictSame(fieldOf(read, 'from'), ['Nearcast <nearcast@cdn.example>']);
    t.strictSame(fieldOf(read, 'subject'), ['Hello']);
    t.strictSame(fieldOf(read, 'message-id'), ['<let_0123456789@cdn.example>']);
    t.equal(read.text.trimEnd(), letter.text.trimEnd());
  });

  t.test('whatever name, subject and text: no line of the head is made by them', async (t) => {
    const { mail, letters } = await openLab();
    const piece = fc.oneof(
      fc.string({ unit: 'grapheme', maxLength: 30 }),
      fc.constantFrom(...['\r\nBcc: eve@example.com', '\nX: y', '\r\n\r\nbody', '>', '<', '"', ',', '=?utf-8?B?DQo=?=', '.', '\0', '\u2028']), // prettier-ignore
    );
    const text = fc.array(piece, { minLength: 1, maxLength: 5 }).map((parts) => parts.join(''));
    await fc.assert(
      fc.asyncProperty(text, text, text, async (name, subject, body) => {
        const before = (await letters()).length;
        try {
          await mail.send({ ...letter, to: { ...letter.to, name }, subject, text: body }, within);
        } catch (error) {
          if (!isCoded(error, 'INVALID')) throw error;
          return (await letters()).length === before;
        }
        const read = readLetter((await letters()).at(-1) ?? '');
        return isUntouched(read);
      }),
      { numRuns: 100 },
    );
    t.pass('no letter had another field, or somebody else as its receiver');
  });

  t.test('an address that is none, or more than one, is refused', async (t) => {
    const { mail, letters } = await openLab();
    const addresses = [
      ...['', 'ada', 'ada@example.com\r\nRCPT TO:<eve@example.com>', 'ada@example.com, eve@example.com'],
      ...['ada@example.com>\r\nBcc: <eve@example.com', 'ada@example.com\n', '"a b"@example.com', 'a@b@c'],
    ];
    for (const address of addresses)
      await t.rejects(
        mail.send({ ...letter, to: { name: 'Ada', address } }, within),
        { code: 'INVALID' },
        JSON.stringify(address),
      );
    for (const id of ['', 'let_1>\r\nX: y', 'let 1'])
      await t.rejects(mail.send({ ...letter, id }, within), { code: 'INVALID' }, JSON.stringify(id));
    t.strictSame(await letters(), []);
  });

  t.test('who has given up gets no letter sent', async (t) => {
    const { mail, letters } = await openLab();
    await t.rejects(mail.send(letter, { signal: AbortSignal.abort(new Error('enough')) }), {
      message: 'enough',
    });
    t.strictSame(await letters(), []);
  });
}

function isUntouched(read: ReadLetter): boolean {
  const names = read.fields.map(([name]) => name).sort();
  const to = fieldOf(read, 'to');
  return (
    names.join() === fieldNames.join() && to.length === 1 && to[0]?.endsWith('<ada@example.com>') === true
  );
}
