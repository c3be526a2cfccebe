import type { FileScope } from '../../common/core/tokens/delivery-token.ts';
import type { CmcdFacts } from './cmcd.ts';

/** What one request to the TypeScript engine leaves behind. Nothing in it can tell a token. */
export interface AccessRecord {
  /** Unix time at which the head of the request was complete. */
  readonly timeMs: number;
  /** Absent where the request named no file. */
  readonly file?: { readonly file: string; readonly ext: string } | undefined;
  readonly status: number;
  /** The range that was answered, both ends inclusive. */
  readonly range?: readonly [first: number, last: number] | undefined;
  /** Bytes of the file. */
  readonly sentBytes: number;
  readonly durationMs: number;
  /** Until the first byte went to the kernel. */
  readonly ttfbMs: number;
  readonly cache?: 'hit' | 'miss' | undefined;
  /** What the token is for; absent where none was accepted. */
  readonly scope?: FileScope | undefined;
  /** Version of TLS: `1.2`, `1.3`; absent for plain connections. */
  readonly tls?: string | undefined;
  /** The peer's address. Only its pseudonym is written (ADR 6). */
  readonly address: string | undefined;
  readonly isHead: boolean;
  /** The body did not go out whole. */
  readonly isCut: boolean;
  /** As it came: `q=` and the value of the query's CMCD, or `h=` and the four headers joined by commas. */
  readonly cmcd?: string | undefined;
}

/**
 * A record as a line of the access log, with its newline: the same keys in the same order as those that the native
 * engine writes (native/records.h).
 */
export function formatAccessLine(
  record: AccessRecord,
  more: { client: string | undefined; cmcd: CmcdFacts | undefined },
): string {
  const { file, range } = record;
  const line = {
    time: new Date(record.timeMs).toISOString(),
    ...file,
    status: record.status,
    range,
    sent: record.sentBytes,
    ms: roundMs(record.durationMs),
    ttfbMs: roundMs(record.ttfbMs),
    cache: record.cache,
    scope: record.scope,
    tls: record.tls,
    client: more.client,
    // Left out where they are not so, as what is absent.
    head: record.isHead || undefined,
    cut: record.isCut || undefined,
    cmcd: more.cmcd,
  };
  return `${JSON.stringify(line)}\n`;
}

/** To the microsecond, as the native engine counts. */
function roundMs(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
