import { createHash } from 'node:crypto';
import type { AuditDraft, AuditEntry, AuditMark } from '../contract/audit.ts';

/** The mark before the first entry. */
export const auditBeginning: AuditMark = { sequence: 0, hash: '0'.repeat(64) };

/** The action of the entry that retention writes; its object is the mark up to which it removes. */
export const pruneAction = 'audit prune';

/** An entry as one text, the same for everybody: RFC 8785, which for flat objects of texts and whole numbers is sorted JSON. */
export function auditText(entry: Omit<AuditEntry, 'hash'>): string {
  const fields = Object.entries<unknown>(entry).filter(
    ([name, value]) => name !== 'hash' && value !== undefined,
  );
  return JSON.stringify(Object.fromEntries(fields.sort(([a], [b]) => (a < b ? -1 : 1))));
}

/** SHA-256 over an entry's text, which names the hash of the entry before. */
export function auditHash(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** The entry that a draft becomes behind another. */
export function sealEntry(draft: AuditDraft, after: AuditMark): { entry: AuditEntry; text: string } {
  const bare = { ...draft, sequence: after.sequence + 1, previous: after.hash };
  const text = auditText(bare);
  return { entry: { ...bare, hash: auditHash(text) }, text };
}

/** The mark as people note it down: `1234:9f86…`. */
export function formatMark({ sequence, hash }: AuditMark): string {
  return `${String(sequence)}:${hash}`;
}

/** A mark that was noted down; undefined where the text is none. */
export function parseMark(text: string): AuditMark | undefined {
  const [, sequence = '', hash = ''] = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text.trim()) ?? [];
  return hash === '' ? undefined : { sequence: Number(sequence), hash };
}

/** Where a chain breaks first. */
export interface AuditFault {
  sequence: number;
  /** For a person: what is wrong with it. */
  what: string;
}

/**
 * Walks along a chain, entry by entry in the order of their numbers, in a memory that does not grow. `noted` is a mark from
 * elsewhere, by which an end or a whole chain that was replaced is found too.
 */
export class AuditWalk {
  readonly #anchor: AuditMark;
  readonly #noted: AuditMark | undefined;
  #last: AuditMark;
  #prunedTo: AuditMark = auditBeginning;
  #count = 0;

  constructor(anchor: AuditMark, noted?: AuditMark) {
    this.#anchor = anchor;
    this.#noted = noted;
    this.#last = anchor;
  }

  /** The last entry that was good. */
  get last(): AuditMark {
    return this.#last;
  }

  get count(): number {
    return this.#count;
  }

  /** Takes the next entry. @returns what is wrong with it, after which the walk is over. */
  step(entry: AuditEntry): AuditFault | undefined {
    const { sequence, hash, previous } = entry;
    const wanted = this.#last.sequence + 1;
    if (sequence !== wanted)
      return { sequence: wanted, what: `it is missing; ${String(sequence)} stands in its place` };
    if (auditHash(auditText(entry)) !== hash)
      return { sequence, what: 'it was changed: its hash is not that of what it says' };
    if (previous !== this.#last.hash)
      return { sequence, what: 'it does not follow the entry before: one of the two was replaced' };
    if (sequence === this.#noted?.sequence && hash !== this.#noted.hash)
      return { sequence, what: 'it is not the entry that was noted down: the chain was written anew' };
    if (entry.action === pruneAction) this.#prunedTo = parseMark(entry.object ?? '') ?? this.#prunedTo;
    this.#last = { sequence, hash };
    this.#count++;
    return undefined;
  }

  /** Ends the walk. @returns what is wrong with where the chain begins and ends. */
  end(): AuditFault | undefined {
    const anchor = this.#anchor;
    const isSaid = anchor.sequence < this.#prunedTo.sequence || sameMark(anchor, this.#prunedTo);
    if (!isSaid) {
      const what = `it is missing, and no entry says that retention removed all up to ${String(anchor.sequence)}`;
      return { sequence: this.#prunedTo.sequence + 1, what };
    }
    const noted = this.#noted;
    if (noted !== undefined && noted.sequence > this.#last.sequence)
      return {
        sequence: this.#last.sequence + 1,
        what: `it is missing: the chain once went to ${String(noted.sequence)}`,
      };
    return undefined;
  }
}

function sameMark(a: AuditMark, b: AuditMark): boolean {
  return a.sequence === b.sequence && a.hash === b.hash;
}
