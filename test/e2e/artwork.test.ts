import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import t, { type Test } from 'tap';
import { request } from 'undici';

import {
  ArtworkList,
  ArtworkOfTitles,
  ArtworkView,
  type TitlePicture,
} from '../../common/contract/artwork.ts';
import { EnrolmentCodeReply } from '../../common/contract/credentials.ts';
import { NodeView } from '../../common/contract/nodes.ts';
import { TitleList, TitleView } from '../../common/contract/titles.ts';
import { addTitle, type AddedTitle } from '../control-plane/support/add-title.ts';
import { enrolNode, temporaryDir, type TestPlane } from '../control-plane/support/control-plane.ts';
import { startEitherWay } from '../control-plane/support/either-way.ts';
import { until } from '../control-plane/support/until.ts';
import { makePicture, pixelsOf } from '../encoder/support/pictures.ts';
import { startBox, startProgram, type BoxProcess } from '../support/appliance/box-process.ts';

const cli = new URL('../../cli/bin.ts', import.meta.url).pathname;
const refusedMsMax = 5000;

interface World {
  readonly plane: TestPlane;
  readonly title: AddedTitle;
  readonly box: BoxProcess;
  readonly origin: BoxProcess;
  /** Begins to make pictures. */
  startEncoder(): Promise<BoxProcess>;
  /** Gives the title a picture, by a file that lies on the control plane's machine. */
  set(kind: string, bytes: Uint8Array, language?: string): Promise<ArtworkView>;
  made(id: string): Promise<ArtworkView>;
}

/** A control plane, an origin, a box whose site is where the tests run, an encoder with a real ffmpeg, and a title. */
async function startWorld(t: Test): Promise<World> {
  const dataDir = await temporaryDir(t);
  const plane = await startEitherWay(t, { dataDir, flags: ['--ingest-roots', dataDir] });
  const codeOf = async (name: string, role: string): Promise<string> => {
    const body = { role, name, ...(role !== 'encoder' && { site: name }) };
    return (await plane.call('POST /v1/enrolment-codes', { body })).as(EnrolmentCodeReply).code;
  };
  const routes = join(dataDir, 'routes.json');
  await writeFile(routes, JSON.stringify([{ prefix: '127.0.0.0/8', asPathLength: 1, class: 'embedded' }]));
  const argv = ['--control-url', plane.url, '--port', '0'];
  const blobs = ['--blobs-url', `file://${join(dataDir, 'blobs')}`];
  const start = async (name: string, ...more: readonly string[]): Promise<BoxProcess> => {
    const code = await codeOf(name, name === 'origin' ? 'origin' : 'appliance');
    const own = ['--data-dir', join(dataDir, name), '--enrolment-code', code, '--workers', '1'];
    return startBox(t, [...argv, ...own, ...more]);
  };
  const origin = await start('origin', '--origin', ...blobs);
  const box = await start('isp-a', '--reserve-bytes', '0', '--routes-file', routes);
  const startEncoder = async (): Promise<BoxProcess> => {
    const own = [
      '--data-dir',
      join(dataDir, 'encoder'),
      '--enrolment-code',
      await codeOf('encoder', 'encoder'),
    ];
    return startProgram(t, [process.execPath, cli, 'encoder', ...argv, ...blobs, ...own]);
  };
  const byHand = await enrolNode(plane, 'by-hand', { role: 'encoder' });
  const title = await addTitle(plane, byHand, { name: 'Film', pinned: true });
  let files = 0;
  return {
    ...{ plane, title, box, origin, startEncoder },
    async set(kind, bytes, language) {
      const path = join(dataDir, `picture-${String(files++)}`);
      await writeFile(path, bytes);
      const body = { kind, path, ...(language !== undefined && { language }) };
      return (await plane.call(`POST /v1/titles/${title.id}/artwork`, { body })).as(ArtworkView);
    },
    async made(id) {
      const views = async () =>
        (await plane.call(`GET /v1/titles/${title.id}/artwork`)).as(ArtworkList).artwork;
      const view = await until(
        async () => (await views()).find((one) => one.id === id),
        (one) => one !== undefined && (one.state === 'failed' || one.holders.length === 2),
      );
      if (view === undefined) throw new Error(`there is no artwork ${id}`);
      return view;
    },
  };
}

async function pictures(
  { plane, title }: World,
  headers: Record<string, string> = {},
): Promise<TitlePicture[]> {
  return (await plane.call(`GET /v1/titles/${title.id}`, { headers })).as(TitleView).artwork ?? [];
}

interface Fetched {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly bytes: Buffer;
}

async function fetchPicture(url: string): Promise<Fetched> {
  const reply = await request(url);
  const bytes = Buffer.from(await reply.body.arrayBuffer());
  return { status: reply.statusCode, headers: reply.headers, bytes };
}

t.test(
  'from an uploaded picture to sizes that the box of the viewer’s site serves, until they are removed',
  async (t) => {
    const world = await startWorld(t);
    const { plane, title, box, origin } = world;
    await world.startEncoder();
    const queued = await world.set('poster', await makePicture('jpg', { size: '500x750' }));
    t.match(queued, { state: 'queued', kind: 'poster', titleId: title.id });
    const view = await world.made(queued.id);
    t.match(view, { state: 'live', holders: ['isp-a', 'origin'] });

    const [poster] = await until(
      () => pictures(world),
      ([one]) => one?.url.startsWith(box.url) === true,
    );
    t.match(poster, { kind: 'poster', width: 500, height: 750 });
    const widths = new Set(poster?.sizes.map(({ width }) => width));
    t.same([...widths], [160, 320, 500]);
    let fetchedBytes = 0;
    for (const { name, type, width, height } of poster?.sizes ?? []) {
      const url = new URL(name, poster?.url).href;
      const reply = await fetchPicture(url);
      t.match(reply, {
        status: 200,
        headers: {
          'content-type': type,
          'cache-control': /immutable/,
          'cache-status': 'nearcast;hit',
          'x-content-type-options': 'nosniff',
          'cross-origin-resource-policy': 'cross-origin',
        },
      });
      fetchedBytes += reply.bytes.length;
      t.match(await pixelsOf(reply.bytes), { width, height }, name);
    }
    const served = async () => (await plane.call('GET /v1/nodes/isp-a')).as(NodeView).served;
    const sizes = poster?.sizes.length ?? 0;
    t.match(
      await until(served, (told) => fetchedBytes > 0 && told?.pictureBytes === fetchedBytes),
      { playBytes: fetchedBytes, pictureBytes: fetchedBytes },
      `${String(sizes)} pictures were looked at, and nothing was played`,
    );
    const [again] = await pictures(world);
    t.equal(again?.url, poster?.url, 'the next page has the same link');
    const list = (await plane.call('GET /v1/titles?artwork=poster')).as(TitleList);
    t.same(list.titles[0]?.artwork, [poster]);
    t.notOk(
      (await plane.call('GET /v1/titles')).as(TitleList).titles[0]?.artwork,
      'lists have what is asked for',
    );
    const some = await plane.call(`GET /v1/artwork?titles=${title.id},none&artwork=poster,still`);
    t.same(some.as(ArtworkOfTitles).titles, [{ titleId: title.id, artwork: [poster] }]);

    const [token = ''] = /\/v1\/[^/]+\//.exec(poster?.url ?? '') ?? [];
    const ofVideo = `${box.url}${token}${title.files[0] ?? ''}.mp4`;
    t.equal((await fetchPicture(ofVideo)).status, 403, 'a picture’s token opens no video');
    const asVideo = `${plane.url}/v1/playback${token.replace('/v1', '')}master.m3u8`;
    t.equal((await fetchPicture(asVideo)).status, 403, 'nor a manifest');
    const atOrigin = poster?.url.replace(box.url, origin.url) ?? '';
    t.equal((await fetchPicture(atOrigin)).status, 200, 'the origin has it as well');

    const removed = await plane.call(`DELETE /v1/titles/${title.id}/artwork/${queued.id}`);
    t.equal(removed.status, 204);
    t.same(await pictures(world), []);
    const startedMs = performance.now();
    for (const url of [poster?.url ?? '', atOrigin])
      t.equal(
        await until(
          async () => (await fetchPicture(url)).status,
          (status) => status !== 200,
        ),
        403,
      );
    t.ok(performance.now() - startedMs < refusedMsMax);
  },
);

t.test(
  'languages, one in another’s place, what is broken; a withdrawal takes all pictures from the disks',
  async (t) => {
    const world = await startWorld(t);
    const { plane, title, box } = world;
    await world.startEncoder();
    const small = (colour: string): Promise<Buffer> =>
      makePicture('png', { input: `color=${colour}`, size: '64x96' });
    const plain = await world.set('poster', await small('red'));
    const german = await world.set('poster', await small('blue'), 'de');
    const logo = await world.set('logo', await small('green'));
    for (const { id } of [plain, german, logo]) t.match(await world.made(id), { state: 'live' });
    const colourFor = async (language: string): Promise<string> => {
      const [poster] = await pictures(world, { 'accept-language': language });
      const [red = 0] = (await pixelsOf((await fetchPicture(poster?.url ?? '')).bytes)).at(9, 9);
      return red > 128 ? 'red' : 'blue';
    };
    t.same([await colourFor('de-AT, en'), await colourFor('fr')], ['blue', 'red']);

    const same = await world.set('poster', await small('red'));
    t.equal(same.id, plain.id, 'the very same picture is no change');
    const next = await world.set('poster', await small('blue'));
    t.match(await world.made(next.id), { state: 'live' });
    t.equal(await colourFor('fr'), 'blue');
    const left = (await plane.call(`GET /v1/titles/${title.id}/artwork`)).as(ArtworkList).artwork;
    t.same(
      left.map(({ id }) => id),
      [german.id, logo.id, next.id],
    );

    const page = join(plane.dataDir, 'page.jpg');
    await writeFile(page, '<!doctype html><script>alert(1)</script>');
    const body = { kind: 'still', path: page };
    t.match(await plane.call(`POST /v1/titles/${title.id}/artwork`, { body }), {
      status: 422,
      json: { code: 'SOURCE_NOT_PICTURE' },
    });

    const [poster] = await pictures(world);
    const url = poster?.url.replace(/^http:\/\/[^/]+/, box.url) ?? '';
    const onDisk = async (): Promise<string[]> => {
      const names = await readdir(join(plane.dataDir, 'isp-a'), { recursive: true });
      return names.filter((name) =>
        left.some(({ bundle = '', files = [] }) =>
          [bundle, ...files.map(({ file }) => file)].some((file) => name.includes(file)),
        ),
      );
    };
    t.not((await onDisk()).length, 0);
    t.equal((await plane.call(`POST /v1/titles/${title.id}/withdraw`)).status < 300, true);
    t.equal(
      await until(
        async () => (await fetchPicture(url)).status,
        (status) => status !== 200,
      ),
      403,
    );
    t.same(await until(onDisk, (names) => names.length === 0), []);
    t.match(await plane.call(`POST /v1/titles/${title.id}/artwork`, { body }), { status: 409 });
  },
);
