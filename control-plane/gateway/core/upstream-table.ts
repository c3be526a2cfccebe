/** One service behind the gateway: what begins with its prefix goes to one of its URLs. */
export interface UpstreamRoute {
  /** `/v1/billing`: itself, and all below it. */
  readonly prefix: string;
  /** Origins without a path. */
  readonly origins: readonly string[];
}

const entry = /^((?:\/[A-Za-z0-9._~-]+)+)=(https?:\/\/[^\s/?#=]+)$/;

/**
 * Reads `/v1/billing=http://10.0.0.5:7080`; a prefix that comes more than once has several origins. @returns the text that is
 * none, where one is not.
 */
export function parseUpstreams(texts: readonly string[]): UpstreamRoute[] | string {
  const origins = new Map<string, string[]>();
  for (const text of texts) {
    const [, prefix, origin] = entry.exec(text) ?? [];
    if (prefix === undefined || origin === undefined || !URL.canParse(origin)) return text;
    origins.set(prefix, [...(origins.get(prefix) ?? []), new URL(origin).origin]);
  }
  return [...origins].map(([prefix, those]) => ({ prefix, origins: [...new Set(those)] }));
}
