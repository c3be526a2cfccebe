import { generateKeyPairSync } from 'node:crypto';

import { describeBytes, openDescriptor } from '../../common/core/chunk-tree.ts';
import { evaluatePreconditions, rangeApplies } from '../../common/core/conditional.ts';
import { parseFilePath } from '../../common/core/file-path.ts';
import { planRange } from '../../common/core/http-range.ts';
import { mintDeliveryToken, verifyDeliveryToken } from '../../common/core/tokens/delivery-token.ts';
import { pick, seededRandom } from './seeded.ts';

/** What a fuzz run saw. `wrong` counts inputs that passed and must not have, or were thrown at. */
export interface FuzzTally {
  tokens: number;
  paths: number;
  ranges: number;
  descriptors: number;
  conditions: number;
  wrong: number;
}

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const kid = Buffer.alloc(32, 7).toString('base64url');
const session = 'ab'.repeat(16);
const bundle = 'cd'.repeat(32);
const claims = { scope: 'play', session, bundle, issuedAtS: 1, expiresAtS: 1000 } as const;
const clients = ['192.0.2.0/24', '2001:db8::/32'];
const tokens = [claims, { ...claims, clients }].map((each) =>
  mintDeliveryToken(each, { kid, key: privateKey }),
);
const [token = ''] = tokens;
const described = describeBytes(Buffer.alloc(3_000_000, 'nearcast'));
const validators = { etag: '"abc"', lastModifiedMs: 1_000_000_000_000 };
const seeds = ['bytes=0-', 'bytes=-5', 'bytes=1-2,3-4', '"abc", W/"x"', 'Fri, 02 Jan 2026 03:04:05 GMT', '*'];

/** Feeds mutated inputs to everything that parses what strangers send; the same seed does the same. */
export function fuzzInputs({ seed, count }: { seed: number; count: number }): FuzzTally {
  const random = seededRandom(seed);
  const tally: FuzzTally = { tokens: 0, paths: 0, ranges: 0, descriptors: 0, conditions: 0, wrong: 0 };
  const targets: [Exclude<keyof FuzzTally, 'wrong'>, () => boolean][] = [
    ['tokens', () => tokenIsRefused(random)],
    ['paths', () => pathIsExactOrNone(random)],
    ['ranges', () => rangeIsInside(random)],
    ['descriptors', () => descriptorIsRefused(random)],
    ['conditions', () => conditionsAreAnswered(random)],
  ];
  for (let round = 0; round < count; round++) {
    const [name, isRight] = targets[round % targets.length] ?? targets[0] ?? [];
    if (name === undefined || isRight === undefined) break;
    tally[name]++;
    if (!holds(isRight)) tally.wrong++;
  }
  return tally;
}

function holds(check: () => boolean): boolean {
  try {
    return check();
  } catch (error) {
    process.stderr.write(`thrown: ${String(error)}\n`);
    return false;
  }
}

function mutate(bytes: Buffer, random: () => number): Buffer {
  const copy = Buffer.from(bytes);
  const changes = 1 + pick(random, 4);
  for (let i = 0; i < changes; i++) copy[pick(random, copy.length)] = pick(random, 256);
  const cut = random() < 0.2 ? pick(random, copy.length) : copy.length;
  return random() < 0.1 ? Buffer.concat([copy, copy]).subarray(0, copy.length + cut) : copy.subarray(0, cut);
}

function tokenIsRefused(random: () => number): boolean {
  const chosen = tokens[pick(random, tokens.length)] ?? token;
  const bytes = mutate(Buffer.from(chosen, 'base64url'), random);
  const text = bytes.toString('base64url');
  const findKey = (wanted: string) => (wanted === kid ? publicKey : undefined);
  return text === chosen || !verifyDeliveryToken(text, { findKey, nowMs: 2000 }).ok;
}

function pathIsExactOrNone(random: () => number): boolean {
  const path = `/v1/${token}/${'a'.repeat(64)}.mp4`;
  const parsed = parseFilePath(mutate(Buffer.from(path), random).toString('latin1'));
  return (
    parsed === undefined || (/^[0-9a-f]{64}$/.test(parsed.file) && /^[A-Za-z0-9_-]+$/.test(parsed.token))
  );
}

function rangeIsInside(random: () => number): boolean {
  const text = mutate(Buffer.from(seeds[pick(random, 3)] ?? ''), random).toString('latin1');
  const sizeBytes = pick(random, 1000);
  const plan = planRange(text, sizeBytes);
  return plan.kind !== 'part' || (plan.range.start <= plan.range.end && plan.range.end < sizeBytes);
}

function descriptorIsRefused(random: () => number): boolean {
  const bytes = mutate(described.descriptor, random);
  return bytes.equals(described.descriptor) || !openDescriptor(described.file, bytes).ok;
}

function conditionsAreAnswered(random: () => number): boolean {
  const text = () => mutate(Buffer.from(seeds[pick(random, seeds.length)] ?? ''), random).toString('latin1');
  rangeApplies(text(), validators);
  const headers = {
    ifMatch: text(),
    ifNoneMatch: text(),
    ifModifiedSince: text(),
    ifUnmodifiedSince: text(),
  };
  return ['proceed', 'not-modified', 'precondition-failed'].includes(
    evaluatePreconditions(headers, validators),
  );
}
