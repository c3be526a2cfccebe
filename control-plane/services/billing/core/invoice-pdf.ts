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
 * An invoice as PDF 1.4 (ISO 32000-1), in fonts that every reader brings, so that none has to be in it. Refuses
 * TEXT_NOT_PRINTABLE for letters that these fonts have not got: an invoice must not say `?`.
 */
export function invoicePdf(page: InvoicePage): Result<Buffer> {
  const sheets = layOut(page);
  const strange = sheets.flat().find(({ text }) => winAnsi(text) === undefined);
  if (strange !== undefined)
    return refused(
      'TEXT_NOT_PRINTABLE',
      `“${strange.text.slice(0, 40)}”: take the page (.html) instead, which has every script, and print that`,
    );
  const font = (name: string) =>
    Buffer.from(`<< /Type /Font /Subtype /Type1 /BaseFont /${name} /Encoding /WinAnsiEncoding >>`);
  const numberOf = (sheet: number) => firstSheet + 2 * sheet;
  const kids = sheets.map((_texts, index) => `${numberOf(index)} 0 R`).join(' ');
  return ok(
    file([
      Buffer.from('<< /Type /Catalog /Pages 2 0 R >>'),
      Buffer.from(`<< /Type /Pages /Kids [${kids}] /Count ${sheets.length} >>`),
      ...[font('Helvetica'), font('Helvetica-Bold'), font('Courier')],
      ...sheets.flatMap((texts, index) => [sheetOf(numberOf(index) + 1), contentOf(texts)]),
    ]),
  );
}

/** The object after catalogue, pages and fonts. */
const firstSheet = 6;

function sheetOf(content: number): Buffer {
  return Buffer.from(
    `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 ${width} ${height}] /Contents ${content} 0 R ` +
      '/Resources << /Font << /F1 3 0 R /F2 4 0 R /F3 5 0 R >> >> >>',
  );
}

function contentOf(texts: readonly Text[]): Buffer {
  const content = Buffer.concat(texts.map(drawn));
  const head = Buffer.from(`<< /Length ${content.length} >>\nstream\n`);
  return Buffer.concat([head, content, Buffer.from('\nendstream')]);
}

/** Texts on as many sheets as they need; nothing is asked of what stands on one line but that it is of one sheet. */
function layOut({ title, issuer, facts, amounts }: InvoicePage): Text[][] {
  const sheets: Text[][] = [[]];
  let y = height - margin;
  const put = (...texts: readonly Omit<Text, 'y'>[]): void => {
    if (y < margin) {
      sheets.push([]);
      y = height - margin;
    }
    sheets.at(-1)?.push(...texts.map((text) => ({ ...text, y })));
    y -= leading;
  };
  for (const text of issuer.flatMap(wrapped)) put({ font: 'F1', text, x: width / 2 });
  y -= 2 * leading;
  put({ font: 'F2', text: title, x: margin, size: 18 });
  y -= leading;
  for (const [what, value] of facts)
    put({ font: 'F1', text: what, x: margin }, { font: 'F3', text: value, x: margin + 120 });
  y -= leading;
  for (const { what, amount, isTotal } of amounts)
    for (const [index, text] of wrapped(what).entries()) {
      const sum = { font: 'F3', text: amount, x: width - margin - amount.length * size * courierEm } as const;
      put(...(index === 0 ? [sum] : []), { font: isTotal ? 'F2' : 'F1', text, x: margin });
    }
  return sheets;
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
