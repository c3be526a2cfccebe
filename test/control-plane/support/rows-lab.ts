import type { Test } from 'tap';
import { AccessTokenReply } from '../../../common/contract/credentials.ts';
import { ProfileView } from '../../../common/contract/profiles.ts';
import { RowsReply } from '../../../common/contract/rows.ts';
import type { TitleDetails } from '../../../common/contract/title-metadata.ts';
import { TitleList, TitleView } from '../../../common/contract/titles.ts';
import { ViewingBatchReply } from '../../../common/contract/viewing.ts';
import { addTitle } from './add-title.ts';
import { enrolNode, temporaryDir, type Answer, type TestPlane } from './control-plane.ts';
import { startEitherWay } from './either-way.ts';
import { addPerson } from './sign-in.ts';
import { until } from './until.ts';

/** Where viewers of a test are. */
export const germany = '198.51.101.1';
export const nowhere = '203.0.113.7';

interface AskOptions {
  readonly from?: string;
  readonly body?: unknown;
  readonly language?: string;
}

type Told = number | 'down' | 'hide';

/** Somebody who watches. */
export interface TestViewer {
  readonly accountId: string;
  addProfile(fields: object): Promise<string>;
  ask(route: `${string} /${string}`, options?: AskOptions): Promise<Answer>;
  rows(profileId?: string, options?: AskOptions & { seed?: number }): Promise<RowsReply & { text: string }>;
  /** Tells what a profile does with a title: watches a share of it, rates or hides it. */
  tell(profileId: string, titleId: string, told: Told | { what: Told; atMs: number }): Promise<void>;
}

/** A control plane that knows countries, with films of two genres and a series of two episodes, all live. */
export interface RowsLab {
  readonly plane: TestPlane;
  readonly dataDir: string;
  readonly films: readonly string[];
  readonly series: string;
  readonly episodes: readonly string[];
  put(id: string, name: string, more: TitleDetails): Promise<void>;
  addViewer(name: string): Promise<TestViewer>;
}

/** Opens the lab; it goes with the test. */
export async function openRowsLab(t: Pick<Test, 'teardown'>, films: number): Promise<RowsLab> {
  const dataDir = await temporaryDir(t);
  const plane = await startRowsPlane(t, dataDir);
  const encoder = await enrolNode(plane, 'encoder', { role: 'encoder' });
  const origin = await enrolNode(plane, 'origin', { role: 'origin' });
  await origin.beat();
  const add = async (name: string, details: TitleDetails): Promise<string> =>
    (await addTitle(plane, encoder, { name, details })).id;
  const made: string[] = [];
  for (let film = 0; film < films; film++)
    made.push(await add(filmName(film), { genres: [filmGenre(film)], maturity: 6 }));
  const body = { name: 'A series', details: { kind: 'series', genres: ['Drama'], maturity: 6 } };
  const series = (await plane.call('POST /v1/titles', { body })).as(TitleView).id;
  const episodes: string[] = [];
  for (const number of [1, 2]) {
    const details = { kind: 'episode', parentId: series, number } as const;
    episodes.push(await add(`Episode ${number}`, details));
  }
  await until(
    async () => (await plane.call('GET /v1/titles')).as(TitleList).titles,
    (titles) => titles.every(({ state }) => state === 'live'),
  );
  return {
    ...{ plane, dataDir, films: made, series, episodes },
    async put(id, name, more) {
      const route = `PUT /v1/titles/${id}/metadata` as const;
      const answer = await plane.call(route, { body: { name, ...more }, headers: { 'if-match': '*' } });
      if (answer.status !== 200) throw new Error(answer.text);
    },
    addViewer: (name) => addViewer(plane, name),
  };
}

/** The lab's control plane over its data, for instance again. */
export function startRowsPlane(t: Pick<Test, 'teardown'>, dataDir: string): Promise<TestPlane> {
  const geoFile = new URL('../../fixtures/places.mmdb', import.meta.url).pathname;
  const flags = ['--ingest-roots', dataDir, '--lease-ms', '10m', '--geo-file', geoFile];
  return startEitherWay(t, { dataDir, flags: [...flags, '--trusted-proxies', '127.0.0.1/32'] });
}

export const filmName = (film: number): string => `Film number ${film}`;
export const filmGenre = (film: number): string => (film % 2 === 0 ? 'Drama' : 'Comedy');

async function addViewer(plane: TestPlane, name: string): Promise<TestViewer> {
  const { id: accountId } = await addPerson(plane, { email: `${name}@example.org`, role: 'viewer', name });
  const grant = { role: 'viewer', sub: accountId, ttlS: 3600 };
  const { token } = (await plane.call('POST /v1/access-tokens', { body: grant })).as(AccessTokenReply);
  const ask: TestViewer['ask'] = (route, { from = germany, body, language } = {}) =>
    plane.call(route, {
      ...{ token, body },
      headers: { 'x-forwarded-for': from, ...(language !== undefined && { 'accept-language': language }) },
    });
  let sequence = 0;
  return {
    ...{ accountId, ask },
    addProfile: async (fields) => (await ask('POST /v1/profiles', { body: fields })).as(ProfileView).id,
    async rows(profileId, { seed, ...options } = {}) {
      const query = new URLSearchParams({
        ...(profileId !== undefined && { profileId }),
        ...(seed !== undefined && { seed: String(seed) }),
      });
      const answer = await ask(`GET /v1/rows?${query.toString()}`, options);
      return { ...answer.as(RowsReply), text: answer.text };
    },
    async tell(profileId, titleId, told) {
      const { what, atMs } = typeof told === 'object' ? told : { what: told, atMs: Date.now() };
      const { durationMs = 0 } = (await plane.call(`GET /v1/titles/${titleId}`)).as(TitleView);
      const said = { titleId, atMs, sequence: ++sequence };
      const positionMs = Math.floor(durationMs * (typeof what === 'number' ? what : 0));
      const report =
        typeof what === 'number'
          ? {
              ...{ kind: 'progress', ...said, viewingId: `viewing-${sequence}`, positionMs },
              ...{ startedAtMs: atMs - 1000, watchedMs: 1000 },
            }
          : what === 'down'
            ? { kind: 'rating', ...said, rating: 'down' }
            : { kind: 'hide', ...said, hidden: true };
      const body = { deviceId: 'the-tv-00', sentAtMs: Date.now(), reports: [report] };
      const answer = await ask(`POST /v1/profiles/${profileId}/viewing`, { body });
      if (answer.as(ViewingBatchReply).accepted !== 1) throw new Error(answer.text);
    },
  };
}
