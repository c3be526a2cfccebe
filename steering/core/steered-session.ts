/** What steering knows of one playback when its player asks. */
export interface SteeredSession {
  /** The pathways that its manifests declare, in the order of its start. */
  readonly declared: readonly string[];
  /** The one that it plays from. */
  readonly current: string | undefined;
  /** Those that its player has left by itself since they failed it, with the Unix second until which that counts. */
  readonly left: ReadonlyMap<string, number>;
}

/** So long a pathway that failed a player stands behind the others for it; hls.js keeps away from one as long. */
const LEFT_S = 300;
const nothingLeft: SteeredSession['left'] = new Map();
const noItems: readonly string[] = [];

/**
 * Reads a steering request's query: what the player reports (`_HLS_pathway` with or without quotes, `_DASH_pathway` with a list in the
 * order of use) and what the last answer's RELOAD-URI carried: `on`, the pathway told first, `from`, the one it was on then,
 * and `left`. So any steering node can answer, also after a restart. It is not signed: it orders the pathways of its
 * sender alone, who might as well report others. Whatever is missing, foreign to the session or unreadable is not looked at.
 *
 * A player that is neither where it was told to be nor where it was has left the former by itself, and every other one that it
 * lists: they failed it (dash.js returns to them with the next answer unless they are listed behind).
 */
export function readSteeredSession(
  query: Readonly<Record<string, unknown>>,
  declared: readonly string[],
  nowS: number,
): SteeredSession {
  const on = idsOf(query['on'], declared).at(-1) ?? declared[0];
  const from = idsOf(query['from'], declared).at(-1) ?? on;
  const reported = idsOf(query['_DASH_pathway'] ?? query['_HLS_pathway'], declared);
  const current = reported.at(-1) ?? on;
  const hasLeft = current !== on && current !== from;
  // Nearly nobody has left anything: all of them share what says so.
  if (!hasLeft && query['left'] === undefined) return { declared, current, left: nothingLeft };
  const left = readLeft(query['left'], declared, nowS);
  if (current !== undefined) left.delete(current);
  if (hasLeft) {
    for (const id of [on, ...reported]) {
      if (id !== undefined && id !== current) left.set(id, nowS + LEFT_S);
    }
  }
  return { declared, current, left };
}

/** The query of the next RELOAD-URI, which `readSteeredSession` reads; `first` is the pathway that this answer puts first. */
export function steeredSessionQuery({ current, left }: SteeredSession, first: string | undefined): string {
  let query = `on=${encodeURIComponent(first ?? '')}&from=${encodeURIComponent(current ?? '')}`;
  let separator = '&left=';
  for (const [id, untilS] of left) {
    query += `${separator}${encodeURIComponent(id)}~${untilS}`;
    separator = ',';
  }
  return query;
}

/** The session's own ids in a list, each once. A parameter that comes twice is read once. */
function idsOf(value: unknown, declared: readonly string[]): readonly string[] {
  if (value === undefined) return noItems;
  const ids: string[] = [];
  for (const id of itemsOf(value)) if (declared.includes(id) && !ids.includes(id)) ids.push(id);
  return ids;
}

function readLeft(value: unknown, declared: readonly string[], nowS: number): Map<string, number> {
  const left = new Map<string, number>();
  for (const item of itemsOf(value)) {
    const [id = '', until = ''] = item.split('~');
    const untilS = Number(until);
    const counts = Number.isInteger(untilS) && untilS > nowS && untilS <= nowS + LEFT_S;
    if (counts && declared.includes(id)) left.set(id, untilS);
  }
  return left;
}

function itemsOf(value: unknown): string[] {
  const text: unknown = Array.isArray(value) ? value[0] : value;
  if (typeof text !== 'string') return [];
  return text
    .replaceAll('"', '')
    .split(',')
    .map((item) => item.trim());
}
