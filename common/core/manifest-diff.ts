import type { DocumentPayload, FillManifest } from '../contract/documents.ts';
import type { ManifestDiff } from '../contract/manifest-diff.ts';
import { ok, refused, type Result } from './result.ts';

type Payload = DocumentPayload<FillManifest>;
type Kept = [from: number, count: number];

const filesMax = 2_000_000;

/**
 * The difference between two signed manifests of one box, each a compact JWS whose signature was checked or made here. Entries
 * that both have are told as runs of places in the earlier list, whatever their order.
 */
export function diffManifest(baseJws: string, nextJws: string): ManifestDiff {
  const [protectedHeader = '', payloadText = '', signature = ''] = nextJws.split('.');
  const base = decodePayload(baseJws.split('.')[1] ?? '');
  const next = decodePayload(payloadText);
  const { files, roster } = next.body;
  return {
    base: base.sequence,
    ...{ protected: protectedHeader, signature },
    payload: { ...next, body: { ...next.body, files: [], roster: [] } },
    files: runsOf(base.body.files, files),
    roster: runsOf(base.body.roster, roster),
  };
}

/**
 * The whole JWS that a difference stands for, to be verified like any other. Refused with DOCUMENT_STALE where the manifest
 * held is not the one it starts from, with SIGNATURE_INVALID where it names entries that this one does not have.
 */
export function applyManifestDiff(held: Payload, diff: ManifestDiff): Result<string> {
  if (held.sequence !== diff.base) {
    return refused('DOCUMENT_STALE', `the difference is from ${diff.base}, held is ${held.sequence}`);
  }
  const files = entriesOf(held.body.files, diff.files);
  const roster = entriesOf(held.body.roster, diff.roster);
  if (files === undefined || roster === undefined) {
    return refused('SIGNATURE_INVALID', 'the difference names what the manifest before did not hold');
  }
  // The keys stay where the payload has them: the signature is over this very text.
  const payload = { ...diff.payload, body: { ...diff.payload.body, files, roster } };
  const text = Buffer.from(JSON.stringify(payload)).toString('base64url');
  return ok(`${diff.protected}.${text}.${diff.signature}`);
}

function decodePayload(text: string): Payload {
  return JSON.parse(Buffer.from(text, 'base64url').toString('utf8')) as Payload;
}

function runsOf<T extends object>(base: readonly T[], next: readonly T[]): (Kept | T)[] {
  const places = new Map(base.map((entry, at) => [JSON.stringify(entry), at]));
  const runs: (Kept | T)[] = [];
  let last: Kept | undefined;
  for (const entry of next) {
    const at = places.get(JSON.stringify(entry));
    if (at !== undefined && last !== undefined && at === last[0] + last[1]) {
      last[1]++;
      continue;
    }
    last = at === undefined ? undefined : [at, 1];
    runs.push(last ?? entry);
  }
  return runs;
}

function entriesOf<T extends object>(base: readonly T[], runs: readonly (Kept | T)[]): T[] | undefined {
  const entries: T[] = [];
  for (const run of runs) {
    if (!Array.isArray(run)) {
      entries.push(run);
      continue;
    }
    const [from, count] = run;
    if (from + count > base.length || entries.length + count > filesMax) return undefined;
    for (const entry of base.slice(from, from + count)) entries.push(entry);
  }
  return entries;
}
