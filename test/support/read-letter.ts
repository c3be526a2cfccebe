/** A letter as whoever gets it reads it: plain text in one part. */
export interface ReadLetter {
  /** Fields in the order in which they stand, folded lines joined. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly text: string;
}

/** Reads a letter (RFC 5322), encoded words (RFC 2047) and the text's encoding (RFC 2045) undone. */
export function readLetter(data: string): ReadLetter {
  const plain = data.replaceAll('\r\n', '\n');
  const end = plain.indexOf('\n\n');
  const fields = plain
    .slice(0, end)
    .replaceAll(/\n[\t ]+/g, ' ')
    .split('\n')
    .map((line): [string, string] => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), decodeWords(line.slice(colon + 1).trim())];
    });
  const encoding = fields.find(([name]) => name === 'content-transfer-encoding')?.[1] ?? '7bit';
  return { fields, text: decodeText(plain.slice(end + 2), encoding).replaceAll('\r\n', '\n') };
}

/** The values of one field. */
export function fieldOf({ fields }: ReadLetter, name: string): string[] {
  return fields.filter(([one]) => one === name).map(([, value]) => value);
}

/** The link in a letter that leads to something of one's own. */
export function linkOf(letter: ReadLetter): string {
  return /https?:\/\/\S+\?token=\S+/.exec(letter.text)?.[0] ?? '';
}

function decodeWords(value: string): string {
  return value
    .replaceAll(/\?=\s+=\?/g, '?==?')
    .replaceAll(/=\?utf-8\?([BQ])\?([^?]*)\?=/gi, (_word, kind: string, text: string) =>
      kind.toUpperCase() === 'B'
        ? Buffer.from(text, 'base64').toString('latin1')
        : unquote(text.replaceAll('_', ' ')),
    )
    .replaceAll(/[\x80-\xff]+/g, (bytes) => Buffer.from(bytes, 'latin1').toString('utf8'));
}

function decodeText(body: string, encoding: string): string {
  if (encoding === 'base64') return Buffer.from(body, 'base64').toString('utf8');
  if (encoding !== 'quoted-printable') return body;
  return Buffer.from(unquote(body.replaceAll('=\n', '')), 'latin1').toString('utf8');
}

function unquote(text: string): string {
  return text.replaceAll(/=([0-9A-F]{2})/gi, (_escape, hex: string) =>
    String.fromCharCode(parseInt(hex, 16)),
  );
}
