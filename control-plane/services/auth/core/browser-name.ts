/** What a browser says of itself: its user agent and, of those that send them, client hints (Sec-CH-UA, Sec-CH-UA-Platform). */
export interface BrowserSaid {
  readonly userAgent: string | undefined;
  readonly brands: string | undefined;
  readonly platform: string | undefined;
}

// Of a longer one the rest is nobody's honest name.
const saidLengthMax = 512;

/** Those that call themselves by others' names too before those others. */
const browsers: readonly (readonly [string, RegExp])[] = [
  ['Edge', /\bEdg(?:A|iOS)?\/\d/],
  ['Opera', /\b(?:OPR|OPT|OPX)\/\d/],
  ['Samsung Internet', /\bSamsungBrowser\/\d/],
  ['Vivaldi', /\bVivaldi\/\d/],
  ['Yandex Browser', /\bYaBrowser\/\d/],
  ['DuckDuckGo', /\b(?:DuckDuckGo|Ddg)\/\d/],
  ['Firefox', /\b(?:Firefox|FxiOS)\/\d/],
  ['Chrome', /\b(?:Headless)?(?:Chrome|CriOS)\/\d/],
  ['Safari', /\bVersion\/[\d.]+ .*\bSafari\/\d/],
];
/** Brands as hints name them; of Chromium itself the user agent says more. */
const brandNames: ReadonlyMap<string, string> = new Map([
  ['Microsoft Edge', 'Edge'],
  ['Opera', 'Opera'],
  ['Samsung Internet', 'Samsung Internet'],
  ['Vivaldi', 'Vivaldi'],
  ['YaBrowser', 'Yandex Browser'],
  ['DuckDuckGo', 'DuckDuckGo'],
  ['Brave', 'Brave'],
  ['Google Chrome', 'Chrome'],
]);
/** Television sets and Android call themselves Linux as well, an iPhone like a Mac. */
const systems: readonly (readonly [string, RegExp])[] = [
  ['a Samsung TV', /\bTizen\b/],
  ['an LG TV', /\b(?:Web0S|webOS)\b/],
  ['a PlayStation', /\bPlayStation\b/],
  ['an Xbox', /\bXbox\b/],
  ['iPhone', /\biPhone\b/],
  ['iPad', /\biPad\b/],
  ['Android', /\bAndroid\b/],
  ['ChromeOS', /\bCrOS\b/],
  ['Windows', /\bWindows NT\b/],
  ['macOS', /\bMacintosh\b/],
  ['Linux', /\bLinux\b/],
];
const platformNames: ReadonlyMap<string, string> = new Map([
  ['Windows', 'Windows'],
  ['macOS', 'macOS'],
  ['Linux', 'Linux'],
  ['Android', 'Android'],
  ['Chrome OS', 'ChromeOS'],
  ['Chromium OS', 'ChromeOS'],
]);

/**
 * What people call a browser: `Firefox on Windows`, as far as it says so. All words of it are ours, whatever is sent; `a browser` for
 * one that nobody knows.
 */
export function browserName({ userAgent, brands, platform }: BrowserSaid): string {
  const text = userAgent?.slice(0, saidLengthMax) ?? '';
  const browser = branded(brands) ?? matching(browsers, text) ?? 'a browser';
  // Hints leave out what kind of an Android or a Linux it is, which sets and consoles tell.
  const system = matching(systems, text) ?? platformNames.get(unquoted(platform));
  return system === undefined ? browser : `${browser} on ${system}`;
}

function branded(brands: string | undefined): string | undefined {
  const said = [...(brands?.slice(0, saidLengthMax) ?? '').matchAll(/"([\w .()/;:?=-]*)"/g)];
  return said.map(([, brand = '']) => brandNames.get(brand)).find((name) => name !== undefined);
}

function matching(names: readonly (readonly [string, RegExp])[], text: string): string | undefined {
  return names.find(([, pattern]) => pattern.test(text))?.[0];
}

function unquoted(text = ''): string {
  return text.replace(/^"|"$/g, '');
}
