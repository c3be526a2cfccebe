import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { openGroupedRecords } from '../../../common/adapters/records/sqlite-grouped.ts';
import type { Entitlements } from '../../../common/contract/billing.ts';
import { PlaybackSession } from '../../../common/contract/playback.ts';
import type { Bundle } from '../../../common/contract/bundle.ts';
import type { CaptionWish } from '../../../common/contract/profiles.ts';
import type { Pathway } from '../../../common/contract/steering.ts';
import { createSystemChance } from '../../../common/runtime/chance.ts';
import { createSystemClock, type Clock } from '../../../common/runtime/clock.ts';
import { coded } from '../../../common/runtime/errors.ts';
import { createHttpServer } from '../../../common/runtime/http-server.ts';
import { createSilentLog } from '../../../common/runtime/log.ts';
import { createMetrics } from '../../../common/runtime/metrics.ts';
import { matches } from '../../../common/runtime/parse.ts';
import { playbackDefaults, type PlaybackOptions } from '../../../control-plane/services/playback/ports.ts';
import { playbackRoutes } from '../../../control-plane/services/playback/routes.ts';
import { createPlayback, type Playback } from '../../../control-plane/services/playback/service.ts';
import { createSteeringRanker } from '../../../control-plane/services/playback/steering-ranker.ts';
import { call, type Answer } from './call.ts';
import { asRole, fakeDeliveryToken, fakeVerifiers } from './fake-credentials.ts';
import { captionedBundle, fileNamed, sampleBundle } from './sample-bundle.ts';

export const titleId = 'title_abcdefgh';
export const bundleName = fileNamed('the bundle');
export const bundle = sampleBundle();

export function way(id: string, role: 'appliance' | 'origin' = 'appliance'): Pathway {
  return { id, role, url: `http://${id}:8080`, site: 'isp-a', cluster: 'isp-a' };
}

export const origin = way('origin', 'origin');
const everyone = [way('isp-a-1'), way('isp-a-2'), way('isp-b-1'), origin];

export interface PlaybackLab {
  playback: Playback;
  url: string;
  /** Sessions that were told of. */
  begun: { bundle: string }[];
  /** What steering was asked. */
  asked: { body: unknown; authorization: string | undefined }[];
  /** Who is ready; may be changed. */
  holders: Pathway[];
  close(): Promise<void>;
}

export interface LabOptions {
  directory?: string;
  clock?: Clock;
  options?: Partial<PlaybackOptions>;
  /** What the viewer's account may watch; nothing limits it where there is none. */
  plan?: { isRequired: boolean; entitlements?: Entitlements };
  /** Another film than the sample's. */
  film?: Bundle;
  /** In which languages the film sounds; in the sample's when absent. */
  sounds?: readonly string[];
  /** In which languages the film can be read; in none when absent. */
  captions?: readonly string[];
  /** What profiles want to hear and read. */
  language?: string;
  captionWish?: CaptionWish;
  /** Who counts sessions answers only then. */
  counting?: Promise<unknown>;
  /** How steering answers; undefined: there is no steering, `dead`: nothing listens there. */
  steering?: ((request: IncomingMessage, reply: ServerResponse) => void) | 'dead' | undefined;
}

export async function openLab(t: Test, given: LabOptions = {}): Promise<PlaybackLab> {
  const directory = given.directory ?? (await mkdtemp(join(tmpdir(), 'nearcast-playback-')));
  const clock = given.clock ?? createSystemClock();
  const records = await openGroupedRecords(join(directory, 'playback.db'), {
    onLost: t.fail,
    syncsLaterBy: createSystemClock(),
  });
  const chance = createSystemChance();
  const asked: PlaybackLab['asked'] = [];
  const steering = await startSteering(t, given.steering, asked);
  const ranker =
    steering === undefined
      ? undefined
      : createSteeringRanker({
          steeringUrl: steering,
          clock,
          chance,
          serviceToken: async () => ({
            token: `service-${asked.length}`,
            expiresAtMs: clock.nowMs() + 3_600_000,
          }),
        });
  const holders = [...everyone];
  const begun: PlaybackLab['begun'] = [];
  const files = bundle.files.map(({ file }) => file);
  const title = { titleId, name: 'A "film" <b>&</b>\u0007', bundleName, files };
  let publicUrl = '';
  const playback = await createPlayback({
    ...{ records, clock, chance, log: createSilentLog() },
    catalog: {
      playable: async ({ titleId: id }) => {
        if (id === titleId) return title;
        throw coded(id === 'title_filling-filling' ? 'TITLE_NOT_LIVE' : 'TITLE_UNKNOWN');
      },
      bundle: async () => given.film ?? readIn(soundingIn(given.sounds), given.captions),
    },
    fleet: { siteOf: async () => ({ site: 'isp-a' }), holders: async () => ({ pathways: holders }) },
    tokens: { mint: async ({ claims }) => ({ tokens: claims.map(fakeDeliveryToken) }) },
    users: {
      resume: async () => ({
        ...(given.language !== undefined && { language: given.language }),
        ...(given.captionWish !== undefined && { captions: given.captionWish }),
      }),
    },
    rank: ranker?.rank,
    billing: { entitlements: async () => given.plan ?? { isRequired: false } },
    events: {
      begun: async (session) => {
        begun.push(session);
        await given.counting;
        return {};
      },
    },
    options: { ...playbackDefaults, publicUrl: () => publicUrl, steeringUrl: steering, ...given.options },
  });
  const server = await createHttpServer({
    name: 'lab',
    version: '0.0.0',
    log: createSilentLog(),
    metrics: createMetrics({ name: 'lab', version: '0.0.0' }),
    credentials: fakeVerifiers,
    cors: ['*'],
  });
  playbackRoutes(server.app, { playback, rights: { of: async () => ({ region: 'DE', maturityMax: 18 }) } });
  publicUrl = await server.listen({ host: '127.0.0.1', port: 0 });
  playback.start(new AbortController().signal);
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> =>
    (closed ??= (async () => {
      await server.stop();
      await playback.stop();
      await ranker?.close();
      await records.close();
    })());
  t.teardown(async () => {
    await close();
    if (given.directory === undefined) await rm(directory, { recursive: true, force: true });
  });
  return { playback, url: publicUrl, asked, holders, begun, close };
}

function soundingIn(languages: readonly string[] | undefined): Bundle {
  const [sound] = bundle.audio;
  if (languages === undefined || sound === undefined) return bundle;
  const audio = languages.map((language) => ({ ...sound, id: `audio-${language}`, language }));
  return { ...bundle, audio };
}

function readIn(bundle: Bundle, languages: readonly string[] | undefined): Bundle {
  const [track] = captionedBundle().captions ?? [];
  if (languages === undefined || track === undefined) return bundle;
  return { ...bundle, captions: languages.map((language) => ({ ...track, id: `c-${language}`, language })) };
}

async function startSteering(
  t: Test,
  behave: LabOptions['steering'],
  asked: PlaybackLab['asked'],
): Promise<string | undefined> {
  if (behave === undefined) return undefined;
  const server = createServer((request, reply) => {
    let text = '';
    request.on('data', (chunk: Buffer) => (text += chunk.toString()));
    request.on('end', () => {
      asked.push({ body: JSON.parse(text), authorization: request.headers.authorization });
      if (behave !== 'dead') behave(request, reply);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const stop = async (): Promise<void> => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  };
  if (behave === 'dead') await stop();
  else t.teardown(stop);
  return url;
}

export function ranks(...pathways: Pathway[]): Exclude<LabOptions['steering'], undefined | 'dead'> {
  return (_request, reply) => {
    reply.setHeader('content-type', 'application/json');
    reply.end(JSON.stringify({ mapSequence: 7, pathways }));
  };
}

export async function create(
  lab: PlaybackLab,
  json: object = { titleId },
  role: 'viewer' | 'operator' = 'viewer',
): Promise<Answer> {
  return await call(`${lab.url}/v1/playback-sessions`, { headers: asRole(role), json });
}

export async function createOk(lab: PlaybackLab): Promise<PlaybackSession> {
  const { status, body, text } = await create(lab);
  if (status !== 201 || !matches(PlaybackSession, body)) throw new Error(text);
  return body;
}
