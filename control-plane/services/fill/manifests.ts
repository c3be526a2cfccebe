import { documentTypes, type FillManifest } from '../../../common/contract/documents.ts';
import { diffManifest } from '../../../common/core/manifest-diff.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { createWaiters, type Waiters } from '../long-poll.ts';
import { pollSigned, type SignedDocument, type SignedPoll } from '../signed-poll.ts';
import { urgentFiles } from './missing.ts';
import type { AppliancePlan, FillPlan } from './plan.ts';
import type { FillNode, FillSigner } from './ports.ts';
import type { FillRules } from './sites.ts';

const pollsMax = 20_000;
/** Of one box; who holds an older one gets the whole. */
const earlierMax = 4;
const earlierBytesMax = 256 * 1024 * 1024;

/** The signed manifests in force, and the last few before them for those that hold one of those. */
export class Manifests {
  readonly #signer: FillSigner;
  readonly #waiters: Waiters;
  readonly #current = new Map<string, SignedDocument>();
  readonly #earlier = new Map<string, SignedDocument[]>();
  #earlierBytes = 0;

  constructor({ signer, clock }: { signer: FillSigner; clock: Clock }) {
    this.#signer = signer;
    this.#waiters = createWaiters({ clock, waitersMax: pollsMax });
  }

  /** Sequence of the node's manifest; 0 while it has none. */
  sequence(nodeId: string): number {
    return this.#current.get(nodeId)?.sequence ?? 0;
  }

  /**
   * The manifest once there is one newer than `after`; as its difference from `after` where that is wanted, known here and
   * not half as long as the whole. Errors: OVERLOADED.
   */
  async poll(nodeId: string, want: SignedPoll & { diff: boolean }): Promise<SignedDocument | undefined> {
    const held = (): SignedDocument | undefined => this.#current.get(nodeId);
    const whole = await pollSigned({ waiters: this.#waiters, key: nodeId, held }, want);
    const base = this.#earlier.get(nodeId)?.find(({ sequence }) => sequence === want.after);
    if (whole === undefined || base === undefined || !want.diff) return whole;
    const text = JSON.stringify(diffManifest(base.jws, whole.jws));
    if (text.length > whole.jws.length / 2) return whole;
    return { sequence: whole.sequence, jws: text, contentType: 'application/json' };
  }

  /** Signs the node's manifest when it has changed; says whether its sequence grew. */
  async issue(nodeId: string, body: FillManifest): Promise<boolean> {
    const before = this.#current.get(nodeId);
    const type = documentTypes.fillManifest;
    const { sequence, jws } = await this.#signer.issue({ type, audience: nodeId, body });
    if (before?.jws === jws) return false;
    this.#current.set(nodeId, { sequence, jws });
    if (before !== undefined && before.sequence !== sequence) this.#keepEarlier(nodeId, before);
    this.#waiters.wake(nodeId);
    return before?.sequence !== sequence;
  }

  /** Forgets all nodes but these. */
  keepOnly(known: ReadonlySet<string>): void {
    for (const id of this.#current.keys()) {
      if (known.has(id)) continue;
      this.#current.delete(id);
      this.#forgetEarlier(id);
    }
  }

  /** Ends every wait. */
  wakeAll(): void {
    this.#waiters.wakeAll();
  }

  #keepEarlier(nodeId: string, document: SignedDocument): void {
    const kept = this.#earlier.get(nodeId) ?? [];
    // Last in the map, so that the bound takes from those that have not changed for longest.
    this.#earlier.delete(nodeId);
    this.#earlier.set(nodeId, kept);
    kept.push(document);
    this.#earlierBytes += document.jws.length;
    while (kept.length > earlierMax) this.#earlierBytes -= kept.shift()?.jws.length ?? 0;
    for (const id of this.#earlier.keys()) {
      if (this.#earlierBytes <= earlierBytesMax) return;
      this.#forgetEarlier(id);
    }
  }

  #forgetEarlier(nodeId: string): void {
    for (const { jws } of this.#earlier.get(nodeId) ?? []) this.#earlierBytes -= jws.length;
    this.#earlier.delete(nodeId);
  }
}

/** What a node is told: its files, its peers, when and how fast. What is urgent is marked. */
export function manifestOf(
  node: FillNode,
  options: {
    own: AppliancePlan | undefined;
    plan: FillPlan;
    roster: FillManifest['roster'];
    rules: FillRules;
    nodes: readonly FillNode[];
  },
): FillManifest {
  const { own, plan, roster, rules, nodes } = options;
  const { window, capBytesPerSecond } = rules;
  const links = rules.links.map((link) => ({
    ...link,
    nodes: nodes.filter(({ site }) => site === link.from).map(({ id }) => id),
  }));
  const urgent = urgentFiles(plan);
  return {
    appliance: node.id,
    files: Array.from(own?.files.values() ?? [], (wanted) =>
      urgent.has(wanted.file) ? { ...wanted, urgent: true } : wanted,
    ),
    roster,
    ...(capBytesPerSecond !== undefined && { capBytesPerSecond }),
    ...(links.length > 0 && { links }),
    ...(window !== undefined && { window }),
    site: node.site,
  };
}

/** Every node whose address is known: peers know one another by it. Health is not part, or each blip would be a manifest. */
export function rosterOf(nodes: readonly FillNode[]): FillManifest['roster'] {
  return nodes.flatMap(({ id, url }) => (url === undefined ? [] : [{ id, url }]));
}
