import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { EnrolmentCodeReply } from '../../../common/contract/credentials.ts';
import { RankReply } from '../../../common/contract/steering.ts';
import { TitleView } from '../../../common/contract/titles.ts';
import { parseJsonAs } from '../../../common/runtime/parse.ts';
import { addTitle } from '../../control-plane/support/add-title.ts';
import { enrolNode, startPlane } from '../../control-plane/support/control-plane.ts';
import { until } from '../../control-plane/support/until.ts';
import { startBox } from '../../support/appliance/box-process.ts';
import { startSteering } from '../../support/steering-process.ts';

const client = '192.0.2.7';

/**
 * How long it takes from the moment in which a box's disk vanishes until steering leads nobody there for what was on it:
 * control plane, origin, box and steering are the real ones. The disk comes back between two rounds.
 *
 * @returns seconds, one for each round.
 */
export async function measureLostDisk(directory: string, rounds: number): Promise<number[]> {
  const stops: (() => unknown)[] = [];
  const t = { teardown: (stop: () => unknown) => void stops.unshift(stop) };
  try {
    const { disk, dataDir, isOffered } = await startWorld(t, directory);
    const seconds: number[] = [];
    for (let round = 0; round < rounds; round++) {
      await until(isOffered, (offered) => offered);
      const startedMs = performance.now();
      await rename(disk, `${disk}.gone`);
      await until(isOffered, (offered) => !offered);
      seconds.push((performance.now() - startedMs) / 1000);
      await rename(`${disk}.gone`, disk);
      const quarantine = join(dataDir, 'quarantine');
      await until(
        () => readdir(quarantine),
        (names) => names.some((name) => name.endsWith('.json')),
      );
      for (const name of await readdir(quarantine)) await rm(join(quarantine, name));
    }
    return seconds;
  } finally {
    for (const stop of stops) await stop();
  }
}

type Teardown = Parameters<typeof startBox>[0];

async function startWorld(t: Teardown, directory: string) {
  await mkdir(join(directory, 'plane'));
  const plane = await startPlane(t, {
    dataDir: join(directory, 'plane'),
    flags: ['--ingest-roots', join(directory, 'plane')],
  });
  const codeOf = async (name: string, role: string): Promise<string> => {
    const body = { role, name, ...(role !== 'steering' && { site: name }) };
    return (await plane.call('POST /v1/enrolment-codes', { body })).as(EnrolmentCodeReply).code;
  };
  const [dataDir, disk] = [join(directory, 'box'), join(directory, 'disk')];
  await mkdir(disk);
  const routesFile = join(directory, 'routes.json');
  await writeFile(routesFile, '[{"prefix":"192.0.2.0/24","asPathLength":0,"class":"embedded"}]');
  const argvOf = async (name: string, role: string, ...more: readonly string[]): Promise<string[]> => [
    ...['--data-dir', join(directory, name), '--control-url', plane.url, '--port', '0', '--workers', '1'],
    ...['--enrolment-code', await codeOf(name, role), ...more],
  ];
  await startBox(
    t,
    await argvOf('origin', 'origin', '--origin', '--blobs-url', `file://${join(plane.dataDir, 'blobs')}`),
  );
  const more = ['--disks', disk, '--reserve-bytes', '0', '--routes-file', routesFile];
  await startBox(t, await argvOf('box', 'appliance', ...more));
  const steering = await startSteering({
    ...{ dataDir: join(directory, 'steering'), controlUrl: plane.url },
    code: await codeOf('steering', 'steering'),
  });
  t.teardown(() => steering.stop());
  const encoder = await enrolNode(plane, 'encoder', { role: 'encoder' });
  const title = await addTitle(plane, encoder, { name: 'Film', pinned: true });
  await until(
    async () => (await plane.call(`GET /v1/titles/${title.id}`)).as(TitleView),
    ({ state, holders }) => state === 'live' && holders.length === 2,
  );
  const isOffered = async (): Promise<boolean> => {
    const answer = await fetch(`${steering.url}/v1/rank`, {
      method: 'POST',
      headers: { authorization: `Bearer ${plane.operator}`, 'content-type': 'application/json' },
      body: JSON.stringify({ bundle: title.bundle, client }),
    });
    // Before it has its first map.
    if (!answer.ok) return false;
    const { pathways } = parseJsonAs(RankReply, await answer.text(), { what: 'the ranking' });
    return pathways.some(({ id }) => id === 'box');
  };
  return { disk, dataDir, isOffered };
}
