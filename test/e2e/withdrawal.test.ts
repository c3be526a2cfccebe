import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import t, { type Test } from 'tap';
import { request } from 'undici';

import { EnrolmentCodeReply } from '../../common/contract/credentials.ts';
import { NodeView } from '../../common/contract/nodes.ts';
import { PlaybackSession } from '../../common/contract/playback.ts';
import { TitleView } from '../../common/contract/titles.ts';
import { WithdrawalView } from '../../common/contract/withdrawals.ts';
import { addTitle, type AddedTitle } from '../control-plane/support/add-title.ts';
import { enrolNode, temporaryDir, type TestPlane } from '../control-plane/support/control-plane.ts';
import { startEitherWay } from '../control-plane/support/either-way.ts';
import { until } from '../control-plane/support/until.ts';
import { startBox, type BoxProcess } from '../support/appliance/box-process.ts';

const refusedMsMax = 5000;

interface World {
  readonly plane: TestPlane;
  readonly boxes: ReadonlyMap<string, BoxProcess>;
  argvOf(name: string): string[];
}

/** A control plane with an origin and two boxes in two sites, each a process of its own. */
async function startWorld(t: Test): Promise<World> {
  const dataDir = await temporaryDir(t);
  const plane = await startEitherWay(t, { dataDir, flags: ['--ingest-roots', dataDir] });
  const codeOf = async (name: string, role: string): Promise<string> => {
    const body = { role, name, site: name };
    return (await plane.call('POST /v1/enrolment-codes', { body })).as(EnrolmentCodeReply).code;
  };
  const argvOf = (name: string): string[] => [
    ...['--data-dir', join(dataDir, name), '--control-url', plane.url, '--port', '0', '--workers', '1'],
    ...(name === 'origin'
      ? ['--origin', '--blobs-url', `file://${join(dataDir, 'blobs')}`]
      : ['--reserve-bytes', '0']),
  ];
  const boxes = new Map<string, BoxProcess>();
  for (const name of ['origin', 'isp-a', 'isp-b']) {
    const code = await codeOf(name, name === 'origin' ? 'origin' : 'appliance');
    boxes.set(name, await startBox(t, [...argvOf(name), '--enrolment-code', code]));
  }
  return { plane, boxes, argvOf };
}

/** A title that both boxes hold. */
async function heldTitle({ plane }: World): Promise<AddedTitle> {
  const encoder = await enrolNode(plane, 'encoder', { role: 'encoder' });
  const title = await addTitle(plane, encoder, { name: 'Film', pinned: true });
  await until(
    async () => (await plane.call(`GET /v1/titles/${title.id}`)).as(TitleView),
    ({ state, holders }) => state === 'live' && holders.length === 3,
  );
  return title;
}

/** Files of a title that lie in a box's directory, whatever they are called besides. */
async function filesOnDisk({ plane }: World, name: string, title: AddedTitle): Promise<string[]> {
  const names = await readdir(join(plane.dataDir, name), { recursive: true });
  return names.filter((path) => title.files.some((file) => path.includes(file)));
}

t.test(
  'withdrawn: refused everywhere within seconds, gone from the disks, confirmed by each box',
  async (t) => {
    const world = await startWorld(t);
    const { plane, boxes } = world;
    const title = await heldTitle(world);
    const played = await plane.call('POST /v1/playback-sessions', { body: { titleId: title.id } });
    const { hlsUrl } = played.as(PlaybackSession);
    const [, token = ''] = /\/v1\/playback\/([^/]+)\//.exec(hlsUrl) ?? [];
    const [file = ''] = title.files;
    const play = async (name: string): Promise<number> => {
      const box = boxes.get(name);
      const reply = await request(`${box?.url ?? ''}/v1/${token}/${file}.mp4`, {
        headers: { range: 'bytes=0-99' },
      });
      await reply.body.dump();
      return reply.statusCode;
    };
    for (const name of boxes.keys()) t.equal(await play(name), 206, `${name} serves it`);
    for (const name of ['isp-a', 'isp-b']) t.not((await filesOnDisk(world, name, title)).length, 0);

    const down = boxes.get('isp-b');
    await down?.kill('SIGKILL');
    const startedMs = performance.now();
    const { id } = (await plane.call(`POST /v1/titles/${title.id}/withdraw`)).as(WithdrawalView);
    for (const name of ['origin', 'isp-a'])
      t.equal(
        await until(
          () => play(name),
          (status) => status !== 206,
        ),
        403,
      );
    const tookMs = performance.now() - startedMs;
    t.ok(tookMs < refusedMsMax, `refused after ${Math.round(tookMs)} ms`);
    const view = async () => (await plane.call(`GET /v1/withdrawals/${id}`)).as(WithdrawalView);
    const waiting = await until(view, ({ nodes }) => nodes.filter(({ confirmed }) => confirmed).length === 2);
    t.match(waiting.nodes, [
      { id: 'isp-b', confirmed: false },
      { id: 'isp-a', confirmed: true, deletedFiles: title.files.length, deletedBytes: title.sizeBytes },
      { id: 'origin', confirmed: true, deletedFiles: 0 },
    ]);
    t.same(await filesOnDisk(world, 'isp-a', title), [], 'nothing of it is left on the disk');
    t.not((await filesOnDisk(world, 'isp-b', title)).length, 0, 'the box that is down holds it still');

    const back = await startBox(t, world.argvOf('isp-b'));
    const status = async (): Promise<number> => {
      const reply = await request(`${back.url}/v1/${token}/${file}.mp4`);
      await reply.body.dump();
      return reply.statusCode;
    };
    t.equal(await until(status, (code) => code !== 200), 403, 'refused there too');
    const whole = await until(view, ({ complete }) => complete);
    t.ok(
      whole.nodes.every(({ receipt }) => receipt !== undefined),
      'every box has signed',
    );
    t.same(await filesOnDisk(world, 'isp-b', title), []);
    const node = async () => (await plane.call('GET /v1/nodes/isp-b')).as(NodeView);
    t.equal(
      (await until(node, ({ heldFiles }) => heldFiles === 0)).missingFiles,
      0,
      'and it is not filled again',
    );
  },
);
