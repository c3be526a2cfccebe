import assert from 'node:assert/strict';

import { createPolicy, type PolicyName } from '../../../appliance/core/eviction/policy.ts';
import { hashText, rendezvousScore } from '../../../common/core/rendezvous.ts';
import { rungCount, slicesMax } from './catalogue.ts';
import type { Demand } from './demand.ts';
import type { SiteTrace } from './site-trace.ts';

/** Bytes over the days that count. */
export interface Tally {
  askedBytes: number;
  hitBytes: number;
  /** Written to disks: what was filled, or what a cache took in. */
  writtenBytes: number;
}

/** What every policy is given alike. */
export interface HitOptions {
  readonly boxesBySite: readonly number[];
  readonly boxBytes: number;
  /** Slots before this one warm up and do not count. */
  readonly countFromSlot: number;
}

/**
 * A site of boxes that fetch what they do not hold and keep it: each title belongs to one box, so that the boxes of the site hold
 * nothing twice, and what is asked for comes in slices. Throws where a cache holds more than its capacity.
 */
export function runReactive(
  demand: Demand,
  { policy, ...options }: HitOptions & { policy: PolicyName },
): Tally {
  const tally = { askedBytes: 0, hitBytes: 0, writtenBytes: 0 };
  demand.sites.forEach((trace, site) => {
    runSite(demand, { trace, boxes: options.boxesBySite[site]!, policy, options, tally });
  });
  return tally;
}

function runSite(
  { catalogue }: Demand,
  of: { trace: SiteTrace; boxes: number; policy: PolicyName; options: HitOptions; tally: Tally },
): void {
  const { trace, boxes, policy, options, tally } = of;
  const { sliceBytes, titleCount } = catalogue;
  const boxOf = boxesOfTitles(titleCount, boxes);
  const caches = Array.from({ length: boxes }, () => createPolicy(policy, options.boxBytes));
  const next = policy === 'belady' ? nextRequests(trace.slices, sliceBytes.length) : undefined;
  const countFrom = trace.slotStarts[options.countFromSlot]!;
  const object = { id: 0, sizeBytes: 0, nextAccess: Infinity };
  for (let at = 0; at < trace.slices.length; at++) {
    const slice = trace.slices[at]!;
    const cache = caches[boxOf[Math.floor(slice / (slicesMax * rungCount))]!]!;
    object.id = slice;
    object.sizeBytes = sliceBytes[slice]!;
    if (next !== undefined) object.nextAccess = next[at]!;
    const isHit = cache.request(object);
    if (at < countFrom) continue;
    tally.askedBytes += object.sizeBytes;
    if (isHit) tally.hitBytes += object.sizeBytes;
    else tally.writtenBytes += object.sizeBytes;
  }
  for (const cache of caches)
    assert(cache.usedBytes <= options.boxBytes, `${policy} holds more than its capacity`);
}

/** The box of each title: the first in rendezvous, as steering sends viewers of a title to the box that has it. */
function boxesOfTitles(titleCount: number, boxes: number): Uint8Array {
  const hashes = Array.from({ length: boxes }, (_, box) => hashText(`box-${box}`));
  return Uint8Array.from({ length: titleCount }, (_, title) => {
    const key = hashText(`title-${title}`);
    const scores = hashes.map((hash) => rendezvousScore({ hash, weight: 1 }, key));
    return scores.indexOf(Math.max(...scores));
  });
}

/** For each request the position of the next one of the same slice; Infinity where there is none. */
function nextRequests(slices: Uint32Array, sliceCount: number): Float64Array {
  const next = new Float64Array(slices.length);
  const seen = new Float64Array(sliceCount).fill(Infinity);
  for (let at = slices.length - 1; at >= 0; at--) {
    const slice = slices[at]!;
    next[at] = seen[slice]!;
    seen[slice] = at;
  }
  return next;
}
