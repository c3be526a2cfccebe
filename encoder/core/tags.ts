import { yearMax, yearMin } from '../../common/contract/title-metadata.ts';
import type { SourceTags } from '../../common/contract/titles.ts';
import { plainLine, plainText } from '../../common/core/plain-text.ts';
import type { Probe } from './probe.ts';

const lineMax = 200;
const synopsisMax = 5000;
const genresMax = 20;
/** What programs that make files leave in the title: addresses, and names of releases. */
const noTitle = /https?:|www\.|\b(?:480|720|1080|2160)[pi]\b|\b[xh]\.?26[45]\b/i;

/**
 * What a file's own tags tell of the title in it, as ffprobe names them: of the whole file, else (in Ogg) of its pictures. What no title
 * can have is left out: anybody may have written it.
 */
export function sourceTags({ format, streams }: Probe): SourceTags {
  const pictures = streams.find(({ codec_type: type }) => type === 'video');
  const told = Object.entries(format.tags ?? pictures?.tags ?? {});
  const tags = new Map(told.map(([name, value]) => [name.toLowerCase(), value]));
  const first = (...names: readonly string[]): string =>
    names.map((name) => tags.get(name)?.trim() ?? '').find((value) => value !== '') ?? '';
  const name = lineOf(first('title'));
  const year = wholeNumber(/^\d{4}/.exec(first('date', 'year'))?.[0], [yearMin, yearMax]);
  const number = wholeNumber(first('episode_sort'), [1, 100_000]);
  const synopsis = textOf(first('synopsis', 'description'));
  const genres = genresOf(first('genre'));
  return {
    ...(name !== undefined && !noTitle.test(name) && { name }),
    ...(year !== undefined && { year }),
    ...(number !== undefined && { number }),
    ...(synopsis !== undefined && { synopsis }),
    ...(genres.length > 0 && { genres }),
  };
}

function lineOf(text: string): string | undefined {
  if (text.length > lineMax) return undefined;
  const line = plainLine(text, { what: 'a tag', lettersMax: lineMax, code: 'TITLE_TEXT_INVALID' });
  // Composed, some letters are longer than they were.
  return line.ok && line.value.length <= lineMax ? line.value : undefined;
}

function textOf(tag: string): string | undefined {
  if (tag.length > synopsisMax) return undefined;
  const text = plainText(tag, { what: 'a tag', lettersMax: synopsisMax, code: 'TITLE_TEXT_INVALID' });
  return text.ok && text.value.length <= synopsisMax ? text.value : undefined;
}

function wholeNumber(text: string | undefined, [min, max]: readonly [number, number]): number | undefined {
  const number = /^\d{1,9}$/.test(text ?? '') ? Number(text) : NaN;
  return number >= min && number <= max ? number : undefined;
}

/** Several stand in one tag; numbers are those of ID3, which name music. */
function genresOf(text: string): string[] {
  const genres = text.slice(0, lineMax * genresMax).split(/[,;/|]/);
  const lines = genres
    .filter((genre) => !/^\s*\(?\d+\)?\s*$/.test(genre))
    .flatMap((genre) => lineOf(genre) ?? []);
  return [...new Set(lines)].slice(0, genresMax);
}
