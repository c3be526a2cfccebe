import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { DocumentKeeper } from '../../../../appliance/uplink/document-keeper.ts';
import {
  documentTypes,
  FillManifest,
  Revocations,
  SteeringMap,
} from '../../../../common/contract/documents.ts';
import { BackupList } from '../../../../common/contract/backups.ts';
import { createSystemChance } from '../../../../common/runtime/chance.ts';
import { createKeyring } from '../../../../common/runtime/keyring.ts';
import { createSilentLog } from '../../../../common/runtime/log.ts';
import { createSystemClock } from '../../../../common/runtime/clock.ts';
import { createManualClock } from '../../../../common/runtime/manual-clock.ts';
import { openRecords } from '../../../../common/adapters/records/open.ts';
import { openAccessRecords } from '../../../../control-plane/services/access/records.ts';
import { liftSequences, sequenceFloor } from '../../../../control-plane/services/access/sequence-floor.ts';
import { readConfig } from '../../../../control-plane/config.ts';
import { rotateKeys } from '../../../../control-plane/keys.ts';
import { restoreBackup } from '../../../../control-plane/restore.ts';
import { addTitle } from '../../support/add-title.ts';
import {
  eventually,
  startPlane,
  temporaryDir,
  testNode,
  type TestNode,
  type TestPlane,
} from '../../support/control-plane.ts';
import { startFleet } from '../../support/fleet.ts';

const clock = createSystemClock();
const log = createSilentLog();

/** What boxes and steering keep of a control plane, by their own code: an older document or keyset is refused. */
async function createReaders(t: Test, { reply, id }: TestNode) {
  const directory = await temporaryDir(t);
  const keyring = createKeyring({ rootJwk: reply.rootJwk, clock });
  const shared = {
    findKey: (kid: string) => keyring.find(kid, 'documents'),
    ...{ clock, log },
    records: { heartbeat: () => undefined, document: () => undefined, routes: () => undefined },
  };
  const keeper = <T extends typeof FillManifest | typeof Revocations | typeof SteeringMap>(
    name: 'fillManifest' | 'revocations' | 'steeringMap',
    schema: T,
    audience: string,
  ) =>
    new DocumentKeeper({
      ...shared,
      typ: documentTypes[name],
      schema,
      audience,
      path: join(directory, name),
    });
  return {
    keyring,
    manifest: keeper('fillManifest', FillManifest, id),
    revocations: keeper('revocations', Revocations, id),
    map: keeper('steeringMap', SteeringMap, 'steering'),
  };
}

type Readers = Awaited<ReturnType<typeof createReaders>>;

/** Fetches what is newer than what the readers hold, as they do, and says the sequences that they hold then. */
async function follow(t: Test, plane: TestPlane, { readers, box, steering }: Follow): Promise<number[]> {
  const keyset = await plane.call('GET /v1/keyset', { token: '' });
  await readers.keyring.take(keyset.text);
  for (const [keeper, ask] of [
    [readers.manifest, (after: number) => box.call(`GET /v1/nodes/${box.id}/fill-manifest?after=${after}`)],
    [readers.revocations, (after: number) => box.call(`GET /v1/revocations?after=${after}`)],
    [readers.map, (after: number) => steering.call(`GET /v1/steering-map?after=${after}`)],
  ] as const) {
    const before = keeper.sequence;
    const answer = await eventually(
      () => ask(before),
      ({ status }) => status === 200,
    );
    t.equal(answer.status, 200, answer.text);
    t.equal(await keeper.take(answer.text), true, keeper.reasons().join(' '));
    t.ok(keeper.sequence > before, `${String(before)} ${String(keeper.sequence)}`);
  }
  return [
    readers.keyring.sequence(),
    ...[readers.manifest, readers.revocations, readers.map].map(({ sequence }) => sequence),
  ];
}

interface Follow {
  readers: Readers;
  box: TestNode;
  steering: TestNode;
}

async function backUp(plane: TestPlane): Promise<string> {
  await plane.call('POST /v1/backups');
  const { work } = await eventually(
    async () => (await plane.call('GET /v1/backups')).as(BackupList),
    (list) => list.work?.state === 'done',
  );
  return join(plane.dataDir, 'backups', work?.backup?.name ?? 'none');
}

t.test(
  'boxes and steering that saw later documents and keys take those of a restored control plane',
  { timeout: 120_000 },
  async (t) => {
    const { plane, encoder, a1, a2, b1, origin, steering } = await startFleet(t);
    const readers = await createReaders(t, a1);
    const follower = { readers, box: a1, steering };
    await addTitle(plane, encoder, { name: 'One', pinned: true });
    await plane.call('POST /v1/revocations', { body: { sessions: ['a'.repeat(32)] } });
    const archive = await backUp(plane);
    const early = await follow(t, plane, follower);

    await addTitle(plane, encoder, { name: 'Two', pinned: true });
    await plane.call('POST /v1/revocations', { body: { sessions: ['b'.repeat(32)] } });
    await a1.beat({ headroom: 0.5 });
    const later = await follow(t, plane, follower);
    await plane.stop();
    const config = readConfig(['--data-dir', plane.dataDir], {});
    await rotateKeys({ config, clock, log, chance: createSystemChance() });

    const again = async (dataDir: string): Promise<TestPlane & Follow> => {
      const next = await startPlane(t, { dataDir });
      const at = (node: TestNode) => testNode(next, node);
      const nodes = [origin, a2, b1].map(at);
      const box = at(a1);
      for (const node of [box, ...nodes]) await node.beat();
      return Object.assign(next, { readers, box, steering: at(steering) });
    };
    const rotated = await again(plane.dataDir);
    await rotated.call('POST /v1/revocations', { body: { sessions: ['c'.repeat(32)] } });
    t.equal(await readers.keyring.take((await rotated.call('GET /v1/keyset', { token: '' })).text), true);
    await rotated.stop();

    const dataDir = join(await temporaryDir(t), 'restored');
    const restore = async () => {
      const { signal } = new AbortController();
      await restoreBackup({ archive, dataDir, force: true, signal, onProgress: () => undefined });
      await cp(join(plane.dataDir, 'blobs'), join(dataDir, 'blobs'), { recursive: true });
    };
    await restore();
    const restored = await again(dataDir);
    const first = await follow(t, restored, restored);
    await restored.stop();
    for (const [index, sequence] of first.entries()) {
      t.ok(sequence > (later[index] ?? 0) && (later[index] ?? 0) >= (early[index] ?? 0), String(sequence));
      t.ok(sequence < 2 ** 31, 'a serial of DNS goes forward by less than half of its circle');
    }

    const restarted = await again(dataDir);
    const second = [readers.keyring.sequence(), readers.map.sequence];
    t.equal(await readers.keyring.take((await restarted.call('GET /v1/keyset', { token: '' })).text), false);
    t.ok(readers.keyring.sequence() === second[0], 'lifted once, not at each start');
    await restarted.stop();

    await restore();
    const twice = await again(dataDir);
    const third = await follow(t, twice, twice);
    t.ok(
      third.every((sequence, index) => sequence > (first[index] ?? 0)),
      'the same backup once more',
    );
  },
);

t.test(
  'sequences are lifted by the time that has passed, and not by a clock before the backup',
  async (t) => {
    const records = await openRecords(`sqlite://${await temporaryDir(t)}/access.db`);
    t.teardown(() => records.close());
    const access = openAccessRecords(records);
    const manual = createManualClock();
    const takenAtMs = manual.nowMs() - 3_600_000;
    t.equal(await sequenceFloor(access), 0);
    await access.issues.put('map:steering', { sequence: 77, digest: 'x', issuedAtMs: takenAtMs });
    await liftSequences(access, { takenAtMs, clock: manual });
    t.equal(await sequenceFloor(access), 77 + 1_000_000 + 20 * 3600);
    await t.rejects(liftSequences(access, { takenAtMs: manual.nowMs() + 1, clock: manual }), {
      code: 'CLOCK_SKEW',
    });
  },
);
