import type { PlaybackSession } from '../../common/contract/playback.ts';

/** Names the pathway whose appliance a URL leads to; the host where it is none of the session's. */
export function pathwayOf({ pathways }: Pick<PlaybackSession, 'pathways'>, url: string): string {
  if (!URL.canParse(url)) return 'an unknown host';
  const { origin, host } = new URL(url);
  return pathways.find((pathway) => new URL(pathway.url).origin === origin)?.id ?? host;
}

/** What a content steering reply says; undefined where it is none (version 1, draft-pantos-content-steering §6). */
export function steeringText(reply: unknown): string | undefined {
  if (typeof reply !== 'object' || reply === null) return undefined;
  const { VERSION, TTL, 'PATHWAY-PRIORITY': order } = reply as Record<string, unknown>;
  if (VERSION !== 1 || !Array.isArray(order)) return undefined;
  const again = typeof TTL === 'number' ? `, again in ${TTL} s` : '';
  return `steering says ${order.join(' › ')}${again}`;
}

/** Why a request came to nothing: an HTTP status, or 0 where there was no answer. */
export function refusalText(status: number): string {
  if (status === 0) return 'no connection';
  if (status === 404) return 'does not hold the file (404)';
  if (status === 429) return 'sheds load (429)';
  return `status ${status}`;
}
