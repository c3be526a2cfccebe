import { LRUCache } from 'lru-cache';
import type { Records } from '../../../common/adapters/records/port.ts';
import type { Entitlements } from '../../../common/contract/billing.ts';
import type { Bundle } from '../../../common/contract/bundle.ts';
import type { PlaybackCapabilities, PlaybackSession } from '../../../common/contract/playback.ts';
import type { Viewer } from '../../../common/contract/release.ts';
import type { Pathway } from '../../../common/contract/steering.ts';
import { playExpiryS, type DeliveryClaims } from '../../../common/core/tokens/delivery-token.ts';
import type { Chance } from '../../../common/runtime/chance.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import { coded, isCoded, valueOf } from '../../../common/runtime/errors.ts';
import type { Log } from '../../../common/runtime/log.ts';
import { createTeller } from '../../apart/tell.ts';
import { choosePathways } from '../../core/choose-pathways.ts';
import { limitHeight } from '../../core/limit-height.ts';
import {
  chooseLanguages,
  languageFirst,
  languagesOf,
  type LanguageWishes,
} from '../../core/language-first.ts';
import { playableOn } from '../../core/playable.ts';
import { fileUrl, type ManifestInput } from '../../core/playback-manifest.ts';
import { StreamSlots } from './core/stream-slots.ts';
import type {
  PlaybackBilling,
  PlaybackCatalog,
  PlaybackEvents,
  PlaybackFleet,
  PlaybackTokens,
  PlaybackUsers,
} from './interfaces.ts';
import { Manifests, type ManifestKind } from './manifests.ts';
import type { PlaybackOptions, RankPathways } from './ports.ts';
import type { SessionRecord } from './records.ts';
import { Sessions } from './sessions.ts';

export interface PlaybackDependencies {
  readonly records: Records;
  readonly catalog: PlaybackCatalog;
  readonly fleet: PlaybackFleet;
  readonly tokens: PlaybackTokens;
  readonly users: PlaybackUsers;
  readonly billing: PlaybackBilling;
  /** Hears of each session once it is kept. */
  readonly events: PlaybackEvents;
  /** Absent where there is no steering: every session is ranked by the fallback. */
  readonly rank: RankPathways | undefined;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
  readonly options: PlaybackOptions;
}

type PlayableTitle = Awaited<ReturnType<PlaybackCatalog['playable']>>;

/** Who watches: a profile, and by what its caller may watch with it. */
export type Watcher = Omit<Parameters<PlaybackUsers['resume']>[0], 'titleId'>;

interface Subscriber {
  readonly account: string;
  readonly device: string;
}

/** What is to be played, where to (a client's address), for whom, and with which profile. */
export interface PlaybackOrder {
  readonly titleId: string;
  readonly client: string;
  /** A viewer's account, whose plan may limit what they watch, and what tells its devices apart; nothing limits operators. */
  readonly subscriber?: Subscriber | undefined;
  readonly watcher?: Watcher | undefined;
  /** What the device plays; whatever there is when absent. */
  readonly capabilities?: PlaybackCapabilities | undefined;
  /** In which it is named and heard, best first; what the profile says comes before them. */
  readonly languages?: readonly string[];
  /** What limits it; undefined for who may play everything. */
  readonly viewer?: Viewer | undefined;
}

/** Playback sessions and their manifests. */
export interface Playback {
  /**
   * Makes a session of a live title. Errors: TITLE_UNKNOWN, TITLE_NOT_LIVE, BUNDLE_INVALID, NO_PATHWAY, PROFILE_UNKNOWN,
   * PROFILE_LOCKED, SUBSCRIPTION_REQUIRED, STREAMS_TOO_MANY, OVERLOADED, PLAYBACK_UNSUPPORTED.
   */
  createSession(order: PlaybackOrder): Promise<PlaybackSession>;
  /**
   * The manifest of a session, the same bytes at each call. `playToken` was verified and gave `claims`. Errors: TOKEN_EXPIRED
   * when the session has ended, TOKEN_FOREIGN, BUNDLE_INVALID.
   */
  manifest(kind: ManifestKind, token: { playToken: string; claims: DeliveryClaims }): Promise<string>;
  /** Hears that the player of a session has reported, by which it is known to play. */
  reported(report: { session: string; hasEnded: boolean }): void;
  /** How many sessions were made since midnight UTC. */
  sessionsToday(): number;
  /** Starts what runs beside requests; ends with the signal. */
  start(signal: AbortSignal): void;
  stop(): Promise<void>;
}

/** Why a wait for steering ends; one for all, since to make one means to look at the stack. */
const answered = new Error('steering has answered');
const sessionIdBytes = 16;
const timeBytes = 6;
const pruneEveryMs = 60_000;
/** Those that viewers start now; a bundle never changes, its name is made of what it holds. */
const bundlesKept = 32;
/** Boxes tell how they are at least as often: who has none now may have one then. */
const noPathwayRetryMs = 2000;

/** Opens playback over its records. Errors: those of the port. */
export async function createPlayback(deps: PlaybackDependencies): Promise<Playback> {
  const { records, clock, options } = deps;
  return new PlaybackService(deps, await Sessions.open({ records, clock, sessionsMax: options.sessionsMax }));
}

class PlaybackService implements Playback {
  readonly #deps: PlaybackDependencies;
  readonly #sessions: Sessions;
  readonly #slots: StreamSlots;
  readonly #bundles = new LRUCache<string, Bundle>({ max: bundlesKept });
  readonly #manifests = new Manifests();
  readonly #tell: (call: () => Promise<unknown>) => void;
  readonly #stopping = new AbortController();
  #rankAgainMonotonicMs = 0;
  #rankedMonotonicMs = -Infinity;
  #running: Promise<unknown> = Promise.resolve();

  constructor(deps: PlaybackDependencies, sessions: Sessions) {
    this.#deps = deps;
    this.#sessions = sessions;
    this.#slots = new StreamSlots({ streamsMax: deps.options.sessionsMax });
    const unheard = 'a session could not be kept; popularity is learned without it';
    this.#tell = createTeller({ ...deps, underWayMax: deps.options.tellsMax, unheard });
  }

  async createSession(order: PlaybackOrder): Promise<PlaybackSession> {
    const sessionId = newSessionId(this.#deps);
    try {
      return await this.#create(sessionId, order);
    } catch (error) {
      this.#slots.end(sessionId);
      throw error;
    }
  }

  async #create(
    sessionId: string,
    { titleId, client, subscriber, viewer, watcher, languages = [], capabilities }: PlaybackOrder,
  ): Promise<PlaybackSession> {
    const { catalog, fleet, users, clock, options } = this.#deps;
    const { site } = await fleet.siteOf({ client });
    const title = await catalog.playable({
      ...{ titleId, languages: [...languages] },
      ...(site !== undefined && { site }),
      ...(viewer !== undefined && { viewer }),
    });
    const bundle = await this.#bundle(title.bundleName);
    const playable = valueOf(playableOn(bundle, capabilities), title.name);
    const { positionMs: resumeMs, ...wishes } =
      watcher === undefined ? {} : await users.resume({ titleId, ...watcher });
    const chosen = chooseLanguages(playable, wishesOf(wishes, languages));
    const { audio, captions = [] } = languageFirst(playable, chosen);
    const entitlements = await this.#entitle(sessionId, subscriber);
    const { pathways, rankedBy } = await this.#pathways(title, { client, sessionId });
    const nowMs = clock.nowMs();
    const expiresAtS = playExpiryS(bundle.durationMs, nowMs);
    const tokens = await this.#mint(title, { sessionId, pathways, nowMs, expiresAtS });
    const steeringUrl = joinUrl(options.steeringUrl, `/v1/steer/${tokens.steer}`);
    await this.#sessions.add({
      version: 1,
      sessionId,
      titleId,
      name: title.name,
      bundle: title.bundleName,
      pathways,
      ...(steeringUrl !== undefined && { steeringUrl }),
      ...(entitlements && { heightMax: entitlements.heightMax }),
      ...(capabilities && { capabilities }),
      ...chosen,
      createdAtMs: nowMs,
      expiresAtMs: expiresAtS * 1000,
    });
    this.#noteBegun(title, { site, region: viewer?.region });
    const [first] = pathways;
    if (first === undefined) throw coded('NO_PATHWAY');
    const { poster, thumbnails, durationMs } = bundle;
    const base = joinUrl(options.publicUrl(), `/v1/playback/${tokens.play}`) ?? '';
    return {
      sessionId,
      titleId,
      name: title.name,
      bundle: title.bundleName,
      durationMs,
      ...(resumeMs !== undefined && { resumeMs }),
      ...(title.next !== undefined && { next: title.next }),
      hlsUrl: `${base}/master.m3u8`,
      dashUrl: `${base}/manifest.mpd`,
      audioLanguages: languagesOf(audio),
      captionLanguages: languagesOf(captions),
      audio: audio.map(({ id, language }) => ({ id, language })),
      captions: captions.map(({ id, language, kind }) => ({ id, language, kind })),
      ...(chosen.captionsShown !== undefined && { captionsShown: chosen.captionsShown }),
      renditions: limitHeight(playable, entitlements?.heightMax).video.map(({ id }) => id),
      steeringUrl: steeringUrl ?? '',
      posterUrl: fileUrl(first, tokens.play, { file: poster, ext: 'jpg' }),
      thumbnailsUrl: fileUrl(first, tokens.play, { file: thumbnails.vtt, ext: 'vtt' }),
      // It lets its holder report on this session and do nothing that the URLs above do not.
      eventsToken: tokens.play,
      rankedBy,
      pathways,
      expiresAtMs: expiresAtS * 1000,
      ...(entitlements && { entitlements }),
    };
  }

  async manifest(
    kind: ManifestKind,
    { playToken, claims }: { playToken: string; claims: DeliveryClaims },
  ): Promise<string> {
    const session = await this.#sessions.get(claims.session);
    if (session === undefined) throw coded('TOKEN_EXPIRED', 'the session has ended; ask for a new one');
    if (session.bundle !== claims.bundle) throw coded('TOKEN_FOREIGN', 'the token is of another bundle');
    const input = await this.#manifestInput(session, playToken);
    return this.#manifests.write(kind, session.bundle, input);
  }

  reported({ session, hasEnded }: { session: string; hasEnded: boolean }): void {
    const nowMs = this.#deps.clock.monotonicMs();
    if (hasEnded) this.#slots.rest(session, nowMs);
    else this.#slots.heard(session, nowMs);
  }

  sessionsToday(): number {
    return this.#sessions.today();
  }

  start(outer: AbortSignal): void {
    this.#running = this.#pruneLoop(AbortSignal.any([outer, this.#stopping.signal]));
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  /** What a viewer's plan allows, with a stream of theirs counted; undefined where nothing limits them. */
  async #entitle(session: string, subscriber: Subscriber | undefined): Promise<Entitlements | undefined> {
    if (subscriber === undefined) return undefined;
    const { billing, clock } = this.#deps;
    const { isRequired, entitlements } = await billing.entitlements({
      accountId: subscriber.account,
      session,
    });
    if (entitlements === undefined && isRequired)
      throw coded('SUBSCRIPTION_REQUIRED', 'the account has none, or it is paused');
    if (entitlements === undefined) return undefined;
    const { streamsMax: max } = entitlements;
    if (!this.#slots.begin(session, { ...subscriber, max, nowMs: clock.monotonicMs() }))
      throw coded('STREAMS_TOO_MANY', `${max}: end one of them first`);
    return entitlements;
  }

  async #manifestInput(session: SessionRecord, playToken: string): Promise<ManifestInput> {
    const { name, pathways, steeringUrl, heightMax, capabilities, captionsShown } = session;
    const playable = valueOf(playableOn(await this.#bundle(session.bundle), capabilities), name);
    return {
      name,
      pathways,
      playToken,
      steeringUrl,
      captionsShown,
      bundle: languageFirst(limitHeight(playable, heightMax), session),
    };
  }

  async #bundle(name: string): Promise<Bundle> {
    const known = this.#bundles.get(name);
    if (known !== undefined) return known;
    const bundle = await this.#deps.catalog.bundle({ name });
    this.#bundles.set(name, bundle);
    return bundle;
  }

  /** No session is refused because it could not be counted. */
  #noteBegun(
    { bundleName, forecast }: PlayableTitle,
    { site, region }: { site: string | undefined; region: string | undefined },
  ): void {
    const { events } = this.#deps;
    const session = {
      bundle: bundleName,
      ...(site !== undefined && { site }),
      ...(region !== undefined && { region }),
      ...(forecast !== undefined && { forecast }),
    };
    this.#tell(() => events.begun(session));
  }

  async #mint(
    title: PlayableTitle,
    session: { sessionId: string; pathways: readonly Pathway[]; nowMs: number; expiresAtS: number },
  ): Promise<{ play: string; steer: string }> {
    const common = {
      session: session.sessionId,
      bundle: title.bundleName,
      issuedAtS: Math.floor(session.nowMs / 1000),
      expiresAtS: session.expiresAtS,
    };
    const pathways = session.pathways.map(({ id }) => id);
    const claims = [
      { ...common, scope: 'play' as const },
      { ...common, scope: 'steer' as const, pathways },
    ];
    const [play = '', steer = ''] = (await this.#deps.tokens.mint({ claims })).tokens;
    return { play, steer };
  }

  async #pathways(
    title: PlayableTitle,
    { client, sessionId }: { client: string; sessionId: string },
  ): Promise<{ pathways: Pathway[]; rankedBy: PlaybackSession['rankedBy'] }> {
    const { options, fleet } = this.#deps;
    const ranked = await this.#rank({ client, bundle: title.bundleName });
    const { pathwaysMax } = options;
    // What steering says is all that is needed where the last way is among it.
    const isWhole = ranked.some(({ role }) => role === 'origin');
    const { pathways: holders } = isWhole ? { pathways: [] } : await fleet.holders({ files: title.files });
    const pathways = choosePathways({ ranked, holders, sessionId, pathwaysMax });
    if (pathways.length === 0)
      throw coded('NO_PATHWAY', {
        detail: 'nothing that holds the title is ready',
        retryAfterMs: noPathwayRetryMs,
      });
    return { pathways, rankedBy: ranked.length > 0 ? 'steering' : 'fallback' };
  }

  /** What steering says, or nothing: a session is never refused or late for steering's sake. */
  async #rank(query: { client: string; bundle: string }): Promise<readonly Pathway[]> {
    const { clock, log, options, rank } = this.#deps;
    if (rank === undefined || clock.monotonicMs() < this.#rankAgainMonotonicMs) return [];
    const askedMs = clock.monotonicMs();
    const over = new AbortController();
    const timer = new AbortController();
    const timeout = clock.sleep(options.rankTimeoutMs, { signal: timer.signal }).then(
      async () => {
        // Where this process itself was held up, the answer is there and has only to be read.
        await clock.sleep(0, { signal: timer.signal });
        const late = coded('TIMEOUT', `steering did not answer within ${options.rankTimeoutMs} ms`);
        over.abort(late);
        throw late;
      },
      () => [],
    );
    try {
      const pathways = await Promise.race([rank(query, { signal: over.signal }), timeout]);
      this.#rankedMonotonicMs = clock.monotonicMs();
      return pathways;
    } catch (error) {
      // One that has answered others meanwhile is not gone.
      if (isCoded(error, 'TIMEOUT', 'STEERING_UNREACHABLE') && this.#rankedMonotonicMs <= askedMs)
        this.#rankAgainMonotonicMs = clock.monotonicMs() + options.rankPauseMs;
      log.warn({ err: error }, 'steering could not rank; ready holders are used');
      return [];
    } finally {
      timer.abort(answered);
    }
  }

  async #pruneLoop(signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.#deps.clock.sleep(pruneEveryMs, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      await this.#sessions.prune().catch((error: unknown) => {
        this.#deps.log.error({ err: error }, 'ended sessions could not be removed');
      });
    }
  }
}

/** A profile that says its language understands that best, and else what its device asks for. */
function wishesOf(
  { language, ...chosen }: Omit<Awaited<ReturnType<PlaybackUsers['resume']>>, 'positionMs'>,
  accepted: readonly string[],
): LanguageWishes {
  return { ...chosen, languages: language === undefined ? accepted : [language, ...accepted] };
}

/** Begins with when it was made: sessions that are made together lie together, so that a commit touches few pages of the disk. */
function newSessionId({ clock, chance }: Pick<PlaybackDependencies, 'clock' | 'chance'>): string {
  const id = chance.bytes(sessionIdBytes);
  id.writeUIntBE(clock.nowMs(), 0, timeBytes);
  return id.toString('hex');
}

function joinUrl(base: string | undefined, path: string): string | undefined {
  return base === undefined ? undefined : `${base.replace(/\/$/, '')}${path}`;
}
