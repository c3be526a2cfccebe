import type { DeviceKind } from '../../../../common/contract/event-log.ts';

// Televisions first: most of them call themselves Linux or Android as well. An Android without "Mobile" is a tablet.
const kinds: readonly (readonly [DeviceKind, RegExp])[] = [
  [
    'tv',
    /smart-?tv|hbbtv|tizen|web0s|webos|appletv|android tv|googletv|bravia|crkey|roku|aft[a-z]|netcast|viera/i,
  ],
  ['tablet', /ipad|tablet|kindle|silk\/|playbook|android(?!.*mobile)/i],
  ['phone', /iphone|ipod|android.*mobile|windows phone|mobile.*firefox/i],
  ['desktop', /windows nt|macintosh|x11|linux|cros/i],
];
// Of a longer one the rest is nobody's honest name.
const lengthMax = 512;

/** What kind of device a user agent names, and no more of it. */
export function deviceOf(userAgent: string | undefined): DeviceKind {
  const text = userAgent?.slice(0, lengthMax) ?? '';
  return kinds.find(([, pattern]) => pattern.test(text))?.[0] ?? 'other';
}
