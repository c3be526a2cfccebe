/** No path counts as longer: nothing steers by whether a path has 255 or 300 hops. */
const lengthMax = 255;

/**
 * The length of an AS path as routers compare it: a set counts as one (RFC 4271 §9.1.2.2), confederation segments as
 * nothing (RFC 5065 §5.3). It is read as BIRD prints it, `65001 {65002 65003} (65010 65011) ({65012})`; a path that BIRD
 * cuts short with `...` counts as long as it was printed.
 */
export function asPathLength(text: string): number {
  let length = 0;
  let inNumber = false;
  let inSet = false;
  let inConfederation = false;
  for (const sign of text) {
    const isDigit = sign >= '0' && sign <= '9';
    if (isDigit && !inNumber && !inSet && !inConfederation) length++;
    inNumber = isDigit;
    if (sign === '{') {
      inSet = true;
      if (!inConfederation) length++;
    } else if (sign === '}') inSet = false;
    else if (sign === '(') inConfederation = true;
    else if (sign === ')') inConfederation = false;
  }
  return Math.min(length, lengthMax);
}

/** A segment of an AS path by its type on the wire (RFC 4271 §4.3, RFC 5065 §3). */
export interface AsPathSegment {
  readonly type: number;
  readonly asCount: number;
}

const AS_SET = 1;
const AS_SEQUENCE = 2;

/** The same length of a path that comes as segments. */
export function segmentsLength(segments: readonly AsPathSegment[]): number {
  const lengthOf = ({ type, asCount }: AsPathSegment): number =>
    type === AS_SEQUENCE ? asCount : type === AS_SET ? 1 : 0;
  return Math.min(
    segments.reduce((sum, segment) => sum + lengthOf(segment), 0),
    lengthMax,
  );
}
