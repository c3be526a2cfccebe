import { ok, refused, type Result } from '../../../../common/core/result.ts';
import type { InvoicePage } from './invoice-page.ts';

// A4 in points, ISO 216.
const width = 595;
const height = 842;
const margin = 56;
const leading = 16;
/** Letters of a line in Helvetica: some are wider, so that fewer than fit. */
const lettersMax = 60;
/** Every letter of Courier is as wide as this part of its size. */
const courierEm = 0.6;
const size = 10;

interface Text {
  readonly font: 'F1' | 'F2' | 'F3';
  readonly text: string;
  readonly x: number;
  readonly y: number;
  readonly size?: number;
}

/**
 * An invoice as PDF 1.4 (ISO 32000-1) of one page, in fonts that every reader brings, so that none has to be in it. Refuses
 * TEXT_NOT_PRINTABLE for letters that these fonts have not got: an invoice must not say `?`.
 */
export function invoicePdf(page: InvoicePage): Result<Buffer> {
  const texts = [...layOut(page)];
  const strange = texts.find(({ text }) => winAnsi(text) === undefined);
  if (strange !== undefined)
    return refused(
      'TEXT_NOT_PRINTABLE',
      `“${strange.text.slice(0, 40)}”: take the page instead, and print that`,
    );
  const content = Buffer.concat(texts.map(drawn));
  const font = (name: string) =>
    Buffer.from(`<< /Type /Font /Subtype /Type1 /BaseFont /${name} /Encoding /WinAnsiEncoding >>`);
  return ok(
    file([
      Buffer.from('<< /Type /Catalog /Pages 2 0 R >>'),
      Buffer.from('<< /Type /Pages /Kids [3 0 R] /Count 1 >>'),
      Buffer.from(
        `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 ${width} ${height}] /Contents 7 0 R ` +
          '/Resources << /Font << /F1 4 0 R /F2 5 0 R /F3 6 0 R >> >> >>',
      ),
      ...[font('Helvetica'), font('Helvetica-Bold'), font('Courier')],
      Buffer.concat([
        Buffer.from(`<< /Length ${content.length} >>\nstream\n`),
        content,
        Buffer.from('\nendstream'),
      ]),
    ]),
  );
}

function* layOut({ title, issuer, facts, amounts }: InvoicePage): Generator<Text> {
  let y = height - margin;
  for (const line of issuer.flatMap(wrapped)) {
    yield { font: 'F1', text: line, x: width / 2, y };
    y -= leading;
  }
  y -= 2 * leading;
  yield { font: 'F2', text: title, x: margin, y, size: 18 };
  y -= 2 * leading;
  for (const [what, value] of facts) {
    yield { font: 'F1', text: what, x: margin, y };
    yield { font: 'F3', text: value, x: margin + 120, y };
    y -= leading;
  }
  y -= leading;
  for (const { what, amount, isTotal } of amounts) {
    yield { font: 'F3', text: amount, x: width - margin - amount.length * size * courierEm, y };
    for (const line of wrapped(what)) {
      yield { font: isTotal ? 'F2' : 'F1', text: line, x: margin, y };
      y -= leading;
    }
  }
}

function wrapped(text: string): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ').flatMap(pieces)) {
    if (line !== '' && line.length + 1 + word.length > lettersMax) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

/** A word that is longer than a line, in parts. */
function pieces(word: string): string[] {
  const count = Math.max(1, Math.ceil(word.length / lettersMax));
  return Array.from({ length: count }, (_, index) =>
    word.slice(index * lettersMax, (index + 1) * lettersMax),
  );
}

function drawn({ font, text, x, y, size: points = size }: Text): Buffer {
  // In hex nothing has to be escaped (ISO 32000-1 §7.3.4.3).
  const hex = (winAnsi(text) ?? Buffer.alloc(0)).toString('hex');
  return Buffer.from(`BT /${font} ${points} Tf ${x.toFixed(1)} ${y.toFixed(1)} Td <${hex}> Tj ET\n`);
}

function file(objects: readonly Buffer[]): Buffer {
  // The comment tells whoever transfers it that it is binary (ISO 32000-1 §7.5.2).
  const head = Buffer.from('%PDF-1.4\n%\u00e2\u00e3\u00cf\u00d3\n', 'latin1');
  const parts: Buffer[] = [head];
  const offsets: number[] = [];
  let length = head.length;
  const push = (part: Buffer): void => {
    parts.push(part);
    length += part.length;
  };
  for (const [index, object] of objects.entries()) {
    offsets.push(length);
    push(Buffer.concat([Buffer.from(`${index + 1} 0 obj\n`), object, Buffer.from('\nendobj\n')]));
  }
  const entries = offsets.map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`).join('');
  const count = objects.length + 1;
  const start = length;
  push(Buffer.from(`xref\n0 ${count}\n0000000000 65535 f \n${entries}`));
  push(Buffer.from(`trailer\n<< /Size ${count} /Root 1 0 R >>\nstartxref\n${start}\n%%EOF\n`));
  return Buffer.concat(parts);
}

/** What Windows-1252 has where ISO 8859-1 has control characters (ISO 32000-1 annex D.2). */
const between = '€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ';
const betweenFirst = 0x80;
const latin1Last = 0xff;

/** A text in the fonts' encoding; undefined for one that has other letters. */
function winAnsi(text: string): Buffer | undefined {
  const bytes: number[] = [];
  for (const character of text.normalize('NFC')) {
    const code = character.codePointAt(0) ?? 0;
    const special = between.indexOf(character);
    const isLatin = (code >= 0x20 && code < 0x7f) || (code >= 0xa0 && code <= latin1Last);
    if (!isLatin && special === -1) return undefined;
    bytes.push(isLatin ? code : betweenFirst + special);
  }
  return Buffer.from(bytes);
}
