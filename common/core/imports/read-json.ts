import { brokenLine, entryCharactersMax, type ImportLine } from './lines.ts';

/**
 * The titles of a JSON file: an array of `ImportEntry`, or one behind the other (JSON Lines). Each is read by itself: where one is
 * broken, reading goes on with the next line that begins an object no further in.
 */
export function readJson(text: string, file: string): ImportLine[] {
  const lines: ImportLine[] = [];
  let line = 1;
  let counted = 0;
  const lineAt = (at: number): number => {
    for (; counted < at; counted++) if (text[counted] === '\n') line++;
    return line;
  };
  const next = /\{/g;
  for (let found = next.exec(text); found !== null; found = next.exec(text)) {
    const start = found.index;
    const here = { file, line: lineAt(start) };
    const end = objectEnd(text, start);
    const entry = end === undefined ? undefined : parsed(text.slice(start, end));
    if (entry === undefined) {
      lines.push(brokenLine(here, `this is no JSON object of at most ${entryCharactersMax} characters`));
      next.lastIndex = resumeAt(text, start);
    } else {
      lines.push({ ...here, read: { entry } });
      next.lastIndex = end ?? text.length;
    }
  }
  if (lines.length === 0) lines.push(brokenLine({ file, line: 1 }, 'there are no JSON objects in it'));
  return lines;
}

/** Behind the brace that closes the one at `start`; a string ends with its line at the latest. */
function objectEnd(text: string, start: number): number | undefined {
  let depth = 0;
  let inString = false;
  for (let at = start; at < Math.min(text.length, start + entryCharactersMax); at++) {
    const character = text[at];
    if (inString) {
      if (character === '\\') at++;
      else if (character === '"' || character === '\n') inString = false;
    } else if (character === '"') inString = true;
    else if (character === '{') depth++;
    else if (character === '}' && --depth === 0) return at + 1;
  }
  return undefined;
}

function parsed(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function resumeAt(text: string, start: number): number {
  const lineStart = text.lastIndexOf('\n', start) + 1;
  const indent = start - lineStart;
  const begins = /\n([ \t[,]*)\{/g;
  begins.lastIndex = start;
  for (let found = begins.exec(text); found !== null; found = begins.exec(text))
    if ((found[1] ?? '').length <= indent) return found.index + found[0].length - 1;
  return text.length;
}
