import { ok, refused, type Result } from './result.ts';

/** What captions are written in, as ffmpeg calls it. */
export type CaptionFormat = 'srt' | 'webvtt' | 'ass';

/** A file of captions as text. */
export interface CaptionText {
  readonly format: CaptionFormat;
  /** Without a byte order mark; line ends as they were. */
  readonly text: string;
}

/**
 * Reads a file of captions: its signs by what they can only be, its format by how it begins, never by its name. UTF-8 and UTF-16 are
 * recognised; what is neither is read as the charset that files in its language were written in before UTF-8, Windows-1252 where the language is
 * not known.
 *
 * @returns CAPTIONS_INVALID for what is no text, or in none of the formats
 */
export function readCaptionFile(bytes: Uint8Array, language = 'und'): Result<CaptionText> {
  const charset = unicodeOf(bytes) ?? legacyCharset(language);
  const text = decode(bytes, charset);
  if (text === undefined || hasControls(text))
    return refused('CAPTIONS_INVALID', `it is no text in UTF-8, UTF-16 or ${charset}; save it as UTF-8`);
  const format = formatOf(text);
  if (format === undefined)
    return refused('CAPTIONS_INVALID', 'it is neither SubRip (.srt) nor WebVTT (.vtt) nor ASS (.ass)');
  return ok({ format, text });
}

const marks = [
  { charset: 'utf-8', bytes: [0xef, 0xbb, 0xbf] },
  { charset: 'utf-16le', bytes: [0xff, 0xfe] },
  { charset: 'utf-16be', bytes: [0xfe, 0xff] },
] as const;
const guessedBytes = 4096;

/** By the byte order mark; else by zeros, which every second byte is in UTF-16 of times and digits; else UTF-8 where it is that. */
function unicodeOf(bytes: Uint8Array): string | undefined {
  const marked = marks.find((mark) => mark.bytes.every((byte, at) => bytes[at] === byte));
  if (marked !== undefined) return marked.charset;
  const head = bytes.subarray(0, guessedBytes);
  const zeros = (from: 0 | 1): number => head.filter((byte, at) => byte === 0 && at % 2 === from).length;
  const [even, odd] = [zeros(0), zeros(1)];
  if (odd > head.length / 8 && even < odd / 8) return 'utf-16le';
  if (even > head.length / 8 && odd < even / 8) return 'utf-16be';
  return decode(bytes, 'utf-8') === undefined ? undefined : 'utf-8';
}

function decode(bytes: Uint8Array, charset: string): string | undefined {
  try {
    return new TextDecoder(charset, { fatal: true }).decode(bytes);
  } catch (error) {
    // What cannot be decoded is a TypeError (Encoding Standard §7.1).
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

// What Windows wrote in each language before Unicode (Encoding Standard §4.2 names them).
const charsets: Readonly<Record<string, string>> = {
  ...of('windows-1250', 'bs cs hr hu pl ro sk sl sq'),
  ...of('windows-1251', 'be bg kk mk mn ru sr uk'),
  ...of('windows-1253', 'el'),
  ...of('windows-1254', 'az tr'),
  ...of('windows-1255', 'he yi'),
  ...of('windows-1256', 'ar fa ur'),
  ...of('windows-1257', 'et lt lv'),
  ...of('windows-1258', 'vi'),
  ...of('windows-874', 'th'),
  ...of('shift_jis', 'ja'),
  ...of('euc-kr', 'ko'),
  ...of('gb18030', 'zh'),
  ...of('big5', 'zh-hant zh-tw zh-hk zh-mo'),
};

function of(charset: string, languages: string): Record<string, string> {
  return Object.fromEntries(languages.split(' ').map((language) => [language, charset]));
}

function legacyCharset(language: string): string {
  const parts = language.toLowerCase().split('-');
  const [first = '', second = ''] = parts;
  return charsets[`${first}-${second}`] ?? charsets[first] ?? 'windows-1252';
}

/** Whether signs are in it that no text has: it is something else, or in another charset. */
function hasControls(text: string): boolean {
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  return /[\u0000-\u0008\u000e-\u0019\u001c-\u001f]/.test(text);
}

const formatCharacters = 64 * 1024;

function formatOf(text: string): CaptionFormat | undefined {
  const head = text.slice(0, formatCharacters).trimStart();
  if (/^WEBVTT(?:[ \t\r\n]|$)/.test(head)) return 'webvtt';
  if (/^(?:;[^\n]*\n|\s)*\[Script Info\]/i.test(head)) return 'ass';
  const times = /^[ \t]*\d{1,4}:\d{1,2}:\d{1,2}[,.]\d{1,3}[ \t]*-->[ \t]*\d{1,4}:\d{1,2}:\d{1,2}[,.]\d{1,3}/m;
  return times.test(head) ? 'srt' : undefined;
}
