import type { Records } from '../../../common/adapters/records/port.ts';
import type { FillPurpose, FillReport, FillSourcesReply } from '../../../common/contract/fill.ts';
import type { FillPartnerPatch, FillSitePatch } from '../../../common/contract/fill-sites.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { coded } from '../../../common/runtime/errors.ts';
import type { Log } from '../../../common/runtime/log.ts';
import { fillSession } from '../../core/fill-session.ts';
import { createDebounced, type Debounced } from '../debounce.ts';
import { createListeners } from '../listeners.ts';
import type { SignedDocument, SignedPoll } from '../signed-poll.ts';
import { manifestOf, Manifests, rosterOf } from './manifests.ts';
import {
  emptyPlan,
  noLadders,
  planFill,
  type FillPlan,
  type FillPlanSettings,
  type PlannedLadders,
} from './plan.ts';
import type { FillCatalog, FillNode, FillNodes, FillSigner } from './ports.ts';
import { createReports, type Reports } from './reports.ts';
import { openFillSites, type FillSiteDefaults, type FillSites } from './sites.ts';
import { sourcesOf, type FillWaits } from './sources.ts';
import { countBySite, createFillViews, type FillViews } from './views.ts';

export interface FillOptions {
  records: Records;
  nodes: FillNodes;
  /** Asked at each plan, so that it may be wired after fill was made. */
  catalog: () => FillCatalog;
  signer: FillSigner;
  clock: Clock;
  log: Log;
  settings: FillPlanSettings & FillWaits & FillSiteDefaults;
}

/** What is wanted of a bundle and how far its fill is. */
export interface BundleFill {
  /** Clusters in which appliances are to hold it, or a part of it and lead viewers on to the rest. */
  readonly clusters: readonly { readonly cluster: string; readonly site: string; readonly copies: number }[];
  /** Share of the wanted bytes that stand where they are wanted, 0 to 1. */
  readonly filledShare: number;
}

/** Plans what every appliance holds, tells each by a signed manifest, and keeps what they report. */
export interface Fill {
  /** Something that plans depend on has changed; plans again soon. */
  changed(): void;
  /** Plans again every minute, for what changes with time alone, until the signal is aborted. */
  watch(signal: AbortSignal): Promise<void>;
  /** Plans now what was asked for. */
  flush(): Promise<void>;
  stop(): Promise<void>;
  /** Called after each plan that changed a manifest. */
  onPlanned(listener: () => void): () => void;
  /** Sequence of the node's manifest; 0 while it has none. */
  manifestSequence(nodeId: string): number;
  /** The manifest, once there is one newer than `after`; undefined when there is none within `waitMs`. */
  manifest(nodeId: string, want: SignedPoll & { diff: boolean }): Promise<SignedDocument | undefined>;
  sources(nodeId: string, files: readonly string[], purpose: FillPurpose): FillSourcesReply;
  report(nodeId: string, report: FillReport): Promise<void>;
  counts(nodeId: string): { wantedFiles: number; missingFiles: number };
  totals(): { wantedFiles: number; missingFiles: number };
  /** undefined until a plan was made that knows the bundle. */
  bundleFill(bundle: string): BundleFill | undefined;
  /** What a node that leads on is to hold of each bundle; of others none. The same object for as long as nothing else is planned. */
  plannedLadders(nodeId: string): PlannedLadders;
  readonly views: FillViews;
  /** Plans now, and waits for it. */
  replan(): Promise<void>;
  /** Chooses when and how fast a site fills. Errors: INVALID, OVERLOADED. */
  patchSite(site: string, patch: FillSitePatch): Promise<void>;
  /** The other sites of a site's partner: those that a box there fills from while its own has nothing. */
  sitesOfPartner(site: string): readonly string[];
  /** Chooses how fast the boxes of a partner's sites fill together. Errors: OVERLOADED. */
  patchPartner(partner: string, patch: FillPartnerPatch): Promise<void>;
}

const debounceMs = 150;
const replanMs = 60_000;
const fillTokenLifeS = 6 * 3600;

/** Opens the fill service. */
export async function createFill(options: FillOptions): Promise<Fill> {
  const { records, settings } = options;
  return new PlannedFill(options, await openFillSites({ records, defaults: settings }));
}

class PlannedFill implements Fill {
  readonly #options: FillOptions;
  readonly #sites: FillSites;
  readonly #manifests: Manifests;
  readonly #missing = new Map<string, { plan: FillPlan; holdingsVersion: number; missing: number }>();
  readonly #planned = createListeners<undefined>();
  readonly #work: Debounced;
  readonly #reports: Reports;
  readonly views: FillViews;
  #plan: FillPlan = emptyPlan;

  constructor(options: FillOptions, sites: FillSites) {
    const { records, clock, log } = options;
    this.#options = options;
    this.#sites = sites;
    this.#manifests = new Manifests(options);
    this.#reports = createReports({ records, clock });
    this.views = createFillViews({
      ...{ nodes: options.nodes, reports: this.#reports, sites, clock },
      plan: () => this.#plan,
      popularityAt: (site) => options.catalog().popularityAt(site),
      planNow: () => this.#planNow(options.nodes.serving()),
      sourcesOf: (nodeId, file) => this.sources(nodeId, [file], 'fill').sources.flatMap(({ ways }) => ways),
    });
    this.#work = createDebounced({
      clock,
      delayMs: debounceMs,
      run: () => this.#replan(),
      onError: (error) => {
        log.error({ err: error }, 'planning failed; the manifests stay as they are');
      },
    });
  }

  changed(): void {
    this.#work.request();
  }

  async watch(signal: AbortSignal): Promise<void> {
    const { clock, nodes } = this.#options;
    while (!signal.aborted) {
      this.#work.request();
      await clock.sleep(nodes.settled() ? replanMs : 1000, { signal }).catch(() => undefined);
    }
  }

  flush(): Promise<void> {
    return this.#work.flush();
  }

  async stop(): Promise<void> {
    this.#manifests.wakeAll();
    await this.#work.stop();
  }

  onPlanned(listener: () => void): () => void {
    return this.#planned.add(listener);
  }

  manifestSequence(nodeId: string): number {
    return this.#manifests.sequence(nodeId);
  }

  manifest(nodeId: string, want: SignedPoll & { diff: boolean }): Promise<SignedDocument | undefined> {
    return this.#manifests.poll(nodeId, want);
  }

  sources(nodeId: string, files: readonly string[], purpose: FillPurpose): FillSourcesReply {
    const { nodes, settings, signer, clock } = this.#options;
    const serving = nodes.serving();
    const appliance = nodes.servingNode(nodeId);
    if (appliance === undefined) throw coded('NODE_UNKNOWN', nodeId);
    const nowS = Math.floor(clock.nowMs() / 1000);
    const times = { issuedAtS: nowS, expiresAtS: nowS + fillTokenLifeS };
    const fillToken = signer.mintToken({
      ...{ scope: 'fill', session: fillSession(appliance), appliance: nodeId },
      ...times,
    });
    const question = { appliance, nodes: serving, plan: this.#plan, waits: settings, fillToken, purpose };
    return { sources: files.map((file) => sourcesOf(file, question)) };
  }

  report(nodeId: string, report: FillReport): Promise<void> {
    return this.#reports.add(nodeId, report);
  }

  counts(nodeId: string): { wantedFiles: number; missingFiles: number } {
    const node = this.#options.nodes.servingNode(nodeId);
    return node === undefined ? { wantedFiles: 0, missingFiles: 0 } : this.#countsOf(node);
  }

  totals(): { wantedFiles: number; missingFiles: number } {
    const sums = { wantedFiles: 0, missingFiles: 0 };
    for (const node of this.#options.nodes.serving()) {
      const { wantedFiles, missingFiles } = this.#countsOf(node);
      sums.wantedFiles += wantedFiles;
      sums.missingFiles += missingFiles;
    }
    return sums;
  }

  bundleFill(bundle: string): BundleFill | undefined {
    const found = this.#plan.bundles.get(bundle);
    if (found === undefined) return undefined;
    const clusters = new Map<string, { cluster: string; site: string; copies: number }>();
    let wantedBytes = 0;
    let filledBytes = 0;
    for (const node of this.#options.nodes.serving()) {
      const own = this.#plan.appliances.get(node.id);
      if (own === undefined || !(own.bundles.has(bundle) || own.ladders.has(bundle))) continue;
      const { cluster, site } = node;
      clusters.set(cluster, { cluster, site, copies: (clusters.get(cluster)?.copies ?? 0) + 1 });
      for (const { file, sizeBytes } of found.files) {
        if (!own.files.has(file)) continue;
        wantedBytes += sizeBytes;
        if (node.held.has(file)) filledBytes += sizeBytes;
      }
    }
    return {
      clusters: [...clusters.values()],
      filledShare: wantedBytes === 0 ? 1 : filledBytes / wantedBytes,
    };
  }

  plannedLadders(nodeId: string): PlannedLadders {
    return this.#plan.appliances.get(nodeId)?.ladders ?? noLadders;
  }

  async replan(): Promise<void> {
    this.#work.request();
    await this.#work.flush();
  }

  async patchSite(site: string, patch: FillSitePatch): Promise<void> {
    await this.#sites.patch(site, patch);
    this.#work.request();
  }

  sitesOfPartner(site: string): readonly string[] {
    return this.#sites.ofPartner(site);
  }

  async patchPartner(partner: string, patch: FillPartnerPatch): Promise<void> {
    await this.#sites.patchPartner(partner, patch);
    this.#work.request();
  }

  #planNow(nodes: readonly FillNode[]): FillPlan {
    const { catalog, clock, settings } = this.#options;
    const options = { before: this.#plan, settings, nowMs: clock.nowMs() };
    return planFill({ nodes, catalog: catalog() }, options);
  }

  async #replan(): Promise<void> {
    const { nodes, log } = this.#options;
    // What nodes hold decides where things stay: not known until they have reported again.
    if (!nodes.settled()) return;
    const serving = nodes.serving();
    this.#plan = this.#planNow(serving);
    const roster = rosterOf(serving);
    const boxes = countBySite(serving);
    let changed = 0;
    for (const node of serving) {
      const own = this.#plan.appliances.get(node.id);
      // A box that has never reported has no capacity to plan with; one that is gone for long keeps its last manifest.
      if (own === undefined && node.role === 'appliance') continue;
      const rules = this.#sites.rules(node.site, boxes);
      const body = manifestOf(node, { own, plan: this.#plan, roster, rules, nodes: serving });
      if (await this.#manifests.issue(node.id, body)) changed++;
    }
    this.#manifests.keepOnly(new Set(serving.map(({ id }) => id)));
    if (changed > 0) log.info({ manifests: changed, titles: this.#plan.bundles.size }, 'fill planned');
    this.#planned.tell(undefined);
  }

  #countsOf(node: FillNode): { wantedFiles: number; missingFiles: number } {
    const files = this.#plan.appliances.get(node.id)?.files;
    if (files === undefined) return { wantedFiles: 0, missingFiles: 0 };
    const known = this.#missing.get(node.id);
    if (known?.plan === this.#plan && known.holdingsVersion === node.holdingsVersion) {
      return { wantedFiles: files.size, missingFiles: known.missing };
    }
    let missing = 0;
    for (const file of files.keys()) if (!node.held.has(file)) missing++;
    this.#missing.set(node.id, { plan: this.#plan, holdingsVersion: node.holdingsVersion, missing });
    return { wantedFiles: files.size, missingFiles: missing };
  }
}
