import type { Records } from '../../../common/adapters/records/port.ts';
import type { NodeChallenge } from '../../../common/contract/certificates.ts';
import { documentTypes, type RevocationRequest } from '../../../common/contract/documents.ts';
import type { MaintenanceWindow } from '../../../common/contract/maintenance.ts';
import type { WithdrawnFiles } from '../../../common/contract/withdrawals.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { coded } from '../../../common/runtime/errors.ts';
import type { Log } from '../../../common/runtime/log.ts';
import { packRouteTable } from '../../../common/runtime/route-table-packing.ts';
import { createDebounced, type Debounced } from '../debounce.ts';
import { createWaiters } from '../long-poll.ts';
import { pollSigned, type SignedDocument, type SignedPoll } from '../signed-poll.ts';
import { createTurns } from '../turns.ts';
import { buildMap, shownNodes } from './build-map.ts';
import { createHoldingsMatrix, type HoldingsTable } from './holdings-matrix.ts';
import type { MapCatalog, MapNodes, MapRoutes, MapSigner, PlannedLadders } from './ports.ts';
import { MapReaders, type MapReach } from './map-readers.ts';
import { openRevocations, type RevocationStore } from './revocations.ts';

export interface SteeringMapOptions {
  records: Records;
  nodes: MapNodes;
  routes: MapRoutes;
  /** Asked at each build, so that it may be wired after the map was made. */
  catalog: () => MapCatalog;
  /** What a node is to hold of each bundle, if it leads on to the rest; the same object for as long as nothing else is planned. */
  plannedLadders: (nodeId: string) => PlannedLadders;
  signer: MapSigner;
  /** What nodes show to ACME servers. */
  challenges: () => NodeChallenge[];
  /** What boxes are to delete; told with the revocations. */
  withdrawals: () => Promise<WithdrawnFiles[]>;
  /** What is planned and not over. */
  maintenance: () => MaintenanceWindow[];
  clock: Clock;
  log: Log;
}

/** Builds, signs and hands out the steering map and the revocations. */
export interface SteeringMaps {
  /** Something that the map shows has changed; a new one follows within 200 ms. */
  changed(): void;
  /** Signs again what would expire, and waits for nodes to report after a start, until the signal is aborted. */
  watch(signal: AbortSignal): Promise<void>;
  /** Builds now what was asked for. */
  flush(): Promise<void>;
  stop(): Promise<void>;
  /** The map, once there is one newer than `after`; undefined when there is none within `waitMs`. */
  map(want: SignedPoll): Promise<SignedDocument | undefined>;
  /** A steering node says that it holds the map of this sequence. */
  held(node: string, sequence: number): void;
  /** Builds what has changed, and waits until the steering nodes hold it, 10 s at most. */
  reached(): Promise<MapReach>;
  /**
   * The same, where it is to show a node.
   *
   * @throws UNAVAILABLE where the map does not show the node yet.
   */
  shown(node: string): Promise<MapReach>;
  /** A route table that a map names, packed; as a difference to `from` where that is known and small. Errors: ROUTE_TABLE_UNKNOWN. */
  routeTable(name: string, from?: string): Promise<Uint8Array>;
  /** The holdings that one of the last maps names, packed. Errors: NOT_FOUND. */
  holdings(name: string): Promise<Uint8Array>;
  /** The revocations, as the map. */
  revocations(want: SignedPoll): Promise<SignedDocument | undefined>;
  revocationsSequence(): number;
  revoke(request: RevocationRequest): Promise<SignedDocument>;
  /** Takes the revocation of a bundle back, for everyone. */
  lift(bundle: string): Promise<SignedDocument>;
  /** Whether a delivery token with these claims was revoked. */
  isRevoked(claims: { readonly session: string; readonly bundle?: string | undefined }): boolean;
}

const debounceMs = 100;
const renewMs = 60_000;
const pollsMax = 20_000;
// Steering that is a few maps behind finds what its map names.
const holdingsKept = 8;

/** Opens the steering map's service. */
export async function createSteeringMaps(options: SteeringMapOptions): Promise<SteeringMaps> {
  const { records, clock } = options;
  const maps = new PublishedMaps(options, await openRevocations({ records, clock }));
  await maps.publishRevocations();
  return maps;
}

type Kind = 'map' | 'revocations';

class PublishedMaps implements SteeringMaps {
  readonly #options: SteeringMapOptions;
  readonly #revocations: RevocationStore;
  readonly #published = new Map<Kind, SignedDocument>();
  readonly #holdings = createHoldingsMatrix();
  /** The holdings of the last maps, packed, by their names. */
  readonly #packedHoldings = new Map<string, Promise<Uint8Array>>();
  readonly #waiters;
  readonly #work: Debounced;
  readonly #inTurn = createTurns();
  readonly #readers: MapReaders;
  /** The nodes of the last map. */
  #shown: ReadonlySet<string> = new Set();

  constructor(options: SteeringMapOptions, revocations: RevocationStore) {
    const { clock, log } = options;
    this.#options = options;
    this.#revocations = revocations;
    this.#waiters = createWaiters({ clock, waitersMax: pollsMax });
    this.#readers = new MapReaders(clock);
    this.#work = createDebounced({
      clock,
      delayMs: debounceMs,
      run: () => this.#build(),
      onError: (error) => {
        log.error({ err: error }, 'building the steering map failed; steering keeps the last one');
      },
    });
  }

  changed(): void {
    this.#work.request();
  }

  async watch(signal: AbortSignal): Promise<void> {
    const { clock, log, nodes } = this.#options;
    while (!signal.aborted) {
      this.#work.request();
      await this.publishRevocations().catch((error: unknown) => {
        log.error({ err: error }, 'signing the revocations failed; it is tried again');
      });
      await clock.sleep(nodes.settled() ? renewMs : 500, { signal }).catch(() => undefined);
    }
  }

  flush(): Promise<void> {
    return this.#work.flush();
  }

  async stop(): Promise<void> {
    this.#waiters.wakeAll();
    await this.#work.stop();
  }

  map(want: SignedPoll): Promise<SignedDocument | undefined> {
    return this.#poll('map', want);
  }

  held(node: string, sequence: number): void {
    this.#readers.held(node, sequence);
  }

  async reached(): Promise<MapReach> {
    await this.#work.flush();
    return this.#readers.until(this.#published.get('map')?.sequence ?? 0);
  }

  async shown(node: string): Promise<MapReach> {
    await this.#work.flush();
    if (!this.#shown.has(node)) {
      const detail = `the steering map does not show ${node} yet: it has to have reported where it serves`;
      throw coded('UNAVAILABLE', { detail, retryAfterMs: 1000 });
    }
    return this.reached();
  }

  routeTable(name: string, from?: string): Promise<Uint8Array> {
    return this.#options.routes.packed(name, from);
  }

  async holdings(name: string): Promise<Uint8Array> {
    const packed = this.#packedHoldings.get(name);
    if (packed === undefined)
      throw coded('NOT_FOUND', `no map in force or before it names the holdings ${name}`);
    return packed;
  }

  revocations(want: SignedPoll): Promise<SignedDocument | undefined> {
    return this.#poll('revocations', want);
  }

  revocationsSequence(): number {
    return this.#published.get('revocations')?.sequence ?? 0;
  }

  async revoke(request: RevocationRequest): Promise<SignedDocument> {
    await this.#revocations.add(request);
    this.changed();
    return this.publishRevocations();
  }

  async lift(bundle: string): Promise<SignedDocument> {
    await this.#revocations.lift(bundle);
    this.changed();
    return this.publishRevocations();
  }

  isRevoked({ session, bundle }: { session: string; bundle?: string | undefined }): boolean {
    const revocations = this.#revocations;
    return revocations.has('session', session) || (bundle !== undefined && revocations.has('bundle', bundle));
  }

  /** Signs the revocations in force; one at a time, since their sequence grows with each. */
  publishRevocations(): Promise<SignedDocument> {
    return this.#inTurn(async () => {
      const { signer } = this.#options;
      const withdrawals = await this.#options.withdrawals();
      const body = { ...(await this.#revocations.current()), ...(withdrawals.length > 0 && { withdrawals }) };
      const issued = await signer.issue({ type: documentTypes.revocations, audience: '*', body });
      this.#publish('revocations', issued);
      return issued;
    });
  }

  #poll(kind: Kind, want: SignedPoll): Promise<SignedDocument | undefined> {
    const held = (): SignedDocument | undefined => this.#published.get(kind);
    return pollSigned({ waiters: this.#waiters, key: kind, held }, want);
  }

  async #build(): Promise<void> {
    const { nodes, catalog, plannedLadders, signer } = this.#options;
    // Before nodes have reported again, a map would say that all are lost: steering's last one is better.
    if (!nodes.settled()) return;
    const shown = shownNodes(nodes.serving());
    const revocations = await this.#revocations.current();
    const holdings = this.#holdings({ nodes: shown, bundles: catalog().bundles(), plannedLadders });
    this.#keepHoldings(holdings);
    this.#shown = new Set(shown.map(({ id }) => id));
    const body = buildMap({
      ...{ nodes: shown, holdings, revocations, steering: nodes.steering() },
      maintenance: this.#options.maintenance(),
      challenges: this.#options.challenges(),
    });
    this.#publish('map', await signer.issue({ type: documentTypes.steeringMap, audience: 'steering', body }));
  }

  #keepHoldings({ name, bytes }: HoldingsTable): void {
    if (this.#packedHoldings.has(name)) return;
    this.#packedHoldings.set(name, packRouteTable(bytes));
    for (const old of [...this.#packedHoldings.keys()].slice(0, -holdingsKept))
      this.#packedHoldings.delete(old);
  }

  #publish(kind: Kind, issued: SignedDocument): void {
    const before = this.#published.get(kind);
    this.#published.set(kind, issued);
    if (before?.sequence === issued.sequence) return;
    if (kind === 'map') this.#options.log.debug({ sequence: issued.sequence }, 'steering map published');
    this.#waiters.wake(kind);
  }
}
