import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';

import { openRecords } from '../../../../common/adapters/records/open.ts';
import { documentTypes, Revocations } from '../../../../common/contract/documents.ts';
import { EncodeJob, TitleView } from '../../../../common/contract/titles.ts';
import { receiptAudience, WithdrawalList, WithdrawalView } from '../../../../common/contract/withdrawals.ts';
import { createSystemChance } from '../../../../common/runtime/chance.ts';
import { generateKey, type SigningKey } from '../../../../common/runtime/keys.ts';
import { createSilentLog } from '../../../../common/runtime/log.ts';
import { createManualClock } from '../../../../common/runtime/manual-clock.ts';
import { signDocument } from '../../../../common/runtime/signed-documents.ts';
import { openWithdrawalRecords } from '../../../../control-plane/services/withdrawal/records.ts';
import { openWithdrawals } from '../../../../control-plane/services/withdrawal/service.ts';
import { addTitle } from '../../support/add-title.ts';
import {
  enrolNode,
  eventually,
  openSigned,
  startPlane,
  temporaryDir,
  type TestNode,
  type TestPlane,
} from '../../support/control-plane.ts';

async function start(t: Test) {
  const dataDir = await temporaryDir(t);
  const plane = await startPlane(t, { dataDir, flags: ['--ingest-roots', dataDir] });
  const encoder = await enrolNode(plane, 'encoder', { role: 'encoder' });
  const origin = await enrolNode(plane, 'origin', { role: 'origin', site: 'origin' });
  const a1 = await enrolNode(plane, 'isp-a-1', { site: 'isp-a' });
  const b1 = await enrolNode(plane, 'isp-b-1', { site: 'isp-b' });
  for (const node of [origin, a1, b1]) await node.beat();
  return { dataDir, plane, encoder, origin, a1, b1 };
}

async function ordersFor(plane: TestPlane, node: TestNode): Promise<Revocations> {
  const wanted = { typ: documentTypes.revocations, schema: Revocations, audience: '*' } as const;
  return (await openSigned(plane, (await node.call('GET /v1/revocations')).text, wanted)).body;
}

interface Said {
  readonly withdrawal: string;
  readonly deletedFiles?: number;
  readonly key?: SigningKey;
  readonly audience?: string;
  readonly life?: number;
}

/** Confirms as a box does. */
async function confirm(plane: TestPlane, node: TestNode, said: Said) {
  const { withdrawal, deletedFiles = 3, key = node.key, audience = receiptAudience, life = 60_000 } = said;
  const nowMs = plane.clock.nowMs();
  const body = { withdrawal, deletedFiles, deletedBytes: 10 * deletedFiles, doneAtMs: nowMs };
  const times = { issuedAtMs: nowMs - 100_000, notAfterMs: nowMs + life };
  const jws = await signDocument(
    documentTypes.withdrawalReceipt,
    { audience, sequence: 1, ...times, body },
    key,
  );
  return node.call(`POST /v1/nodes/${node.id}/withdrawal-receipts`, { body: { jws } });
}

/** Ends the next encode with these files. */
async function completeWith(encoder: TestNode, bundle: string): Promise<void> {
  const { jobId, leaseId } = (
    await encoder.call('POST /v1/encode-jobs/lease', { body: { waitMs: 5000 } })
  ).as(EncodeJob);
  const done = await encoder.call(`POST /v1/encode-jobs/${jobId}/complete`, { body: { leaseId, bundle } });
  if (done.status >= 300) throw new Error(done.text);
}

async function withdraw(plane: TestPlane, titleId: string): Promise<WithdrawalView> {
  return (await plane.call(`POST /v1/titles/${titleId}/withdraw`)).as(WithdrawalView);
}

t.test(
  'a withdrawn title is in no plan and no map, revoked, and listed until every box has confirmed',
  async (t) => {
    const { plane, encoder, origin, a1, b1, dataDir } = await start(t);
    const title = await addTitle(plane, encoder, { name: 'Film' });
    const view = await withdraw(plane, title.id);
    t.match(view, {
      title: 'Film',
      bundle: title.bundle,
      files: title.files.length,
      sizeBytes: title.sizeBytes,
    });
    t.match(
      view.nodes.map(({ id, confirmed, state }) => [id, confirmed, state]),
      [
        ['isp-a-1', false, 'ready'],
        ['isp-b-1', false, 'ready'],
        ['origin', false, 'ready'],
      ],
    );
    const orders = await ordersFor(plane, a1);
    t.same(orders.bundles, [title.bundle]);
    t.match(orders.withdrawals, [{ withdrawal: view.id }]);
    t.same(new Set(orders.withdrawals?.[0]?.files), new Set(title.files));
    t.match((await plane.call(`GET /v1/titles/${title.id}`)).json, { state: 'withdrawn' });
    const play = await plane.call('POST /v1/playback-sessions', { body: { titleId: title.id } });
    t.match(play, { status: 409, json: { code: 'TITLE_NOT_LIVE' } });
    const plan = await eventually(
      async () => (await plane.call('GET /v1/fill/plan')).text,
      (text) => !text.includes(title.bundle),
    );
    t.notMatch(plan, title.bundle);

    t.equal((await confirm(plane, a1, { withdrawal: view.id })).status, 204);
    t.equal((await confirm(plane, origin, { withdrawal: view.id, deletedFiles: 0 })).status, 204);
    const again = await withdraw(plane, title.id);
    t.match(again, { id: view.id, complete: false }, 'once more does no harm');
    t.match(again.nodes, [
      { id: 'isp-b-1', confirmed: false },
      { id: 'isp-a-1', confirmed: true, deletedFiles: 3, deletedBytes: 30 },
      { id: 'origin', confirmed: true, deletedFiles: 0 },
    ]);
    await confirm(plane, a1, { withdrawal: view.id, deletedFiles: 0 });
    await plane.stop();

    const flags = ['--ingest-roots', dataDir];
    const second = await startPlane(t, { dataDir, flags });
    const kept = (await second.call(`GET /v1/withdrawals/${view.id}`)).as(WithdrawalView);
    const a = kept.nodes.find(({ id }) => id === 'isp-a-1');
    t.match(a, { deletedFiles: 3 }, 'the first receipt counts, over a restart too');
    t.match(a?.receipt, /^[\w-]+\.[\w-]+\.[\w-]+$/, 'and the receipt itself can be had');
    t.equal((await second.call('DELETE /v1/nodes/isp-b-1')).status, 200);
    const list = (await second.call('GET /v1/withdrawals')).as(WithdrawalList);
    t.match(list.withdrawals, [{ id: view.id, complete: true }], 'who is revoked is not waited for');
    t.ok(b1.id);
  },
);

t.test('a receipt counts only from the box itself, signed, whole and in time', async (t) => {
  const { plane, encoder, a1, b1 } = await start(t);
  const title = await addTitle(plane, encoder, { name: 'Film' });
  const { id } = await withdraw(plane, title.id);
  for (const [said, code] of [
    [{ withdrawal: id, key: generateKey() }, 'KEY_UNKNOWN'],
    [{ withdrawal: id, key: b1.key }, 'KEY_UNKNOWN'],
    [{ withdrawal: id, audience: 'isp-b-1' }, 'DOCUMENT_FOREIGN'],
    [{ withdrawal: id, life: -1000 }, 'DOCUMENT_EXPIRED'],
    [{ withdrawal: id, deletedFiles: -1 }, 'SIGNATURE_INVALID'],
    [{ withdrawal: 'withdraw_00000000' }, 'NOT_FOUND'],
  ] as const)
    t.match((await confirm(plane, a1, said)).json, { code }, JSON.stringify(code));
  const forged = await a1.call('POST /v1/nodes/isp-a-1/withdrawal-receipts', { body: { jws: 'a.b.c' } });
  t.match(forged.json, { code: 'SIGNATURE_INVALID' });
  const other = await b1.call('POST /v1/nodes/isp-a-1/withdrawal-receipts', { body: { jws: 'a.b.c' } });
  t.equal(other.status, 403);
  const { nodes } = (await plane.call(`GET /v1/withdrawals/${id}`)).as(WithdrawalView);
  t.ok(nodes.every(({ confirmed }) => !confirmed));
});

t.test('a withdrawal that is lifted: the same files may be shown again, and boxes are told', async (t) => {
  const { plane, encoder, a1, dataDir } = await start(t);
  const title = await addTitle(plane, encoder, { name: 'Film' });
  const { id } = await withdraw(plane, title.id);
  t.same((await ordersFor(plane, a1)).bundles, [title.bundle]);
  t.match(await plane.call('POST /v1/withdrawals/withdraw_00000000/lift'), {
    status: 404,
    json: { code: 'NOT_FOUND' },
  });
  const asked = await a1.call(`POST /v1/withdrawals/${id}/lift`);
  t.ok([401, 403].includes(asked.status), 'a box cannot lift');
  for (const _again of [1, 2]) {
    const lifted = (await plane.call(`POST /v1/withdrawals/${id}/lift`)).as(WithdrawalView);
    t.ok((lifted.liftedAtMs ?? 0) >= lifted.withdrawnAtMs);
    const orders = await ordersFor(plane, a1);
    t.same([orders.bundles, orders.withdrawals], [[], undefined]);
  }
  t.match(
    (await plane.call(`GET /v1/titles/${title.id}`)).json,
    { state: 'withdrawn' },
    'it is added anew to be shown',
  );
  await plane.stop();
  const second = await startPlane(t, { dataDir, flags: ['--ingest-roots', dataDir] });
  const list = (await second.call('GET /v1/withdrawals')).as(WithdrawalList);
  t.match(list.withdrawals, [{ id, liftedAtMs: Number }], 'over a restart too');
});

t.test('a title that came again is withdrawn again, and lifted as one', async (t) => {
  const { plane, encoder, a1, dataDir } = await start(t);
  const title = await addTitle(plane, encoder, { name: 'Film', details: { externalIds: ['id:film'] } });
  const first = await withdraw(plane, title.id);
  t.equal((await withdraw(plane, title.id)).id, first.id, 'it is withdrawn already');
  const path = join(dataDir, 'again.mp4');
  await writeFile(path, 'the same film');
  const entry = { name: 'Film', externalIds: ['id:film'], path };
  const body = { again: ['withdrawn'], entries: [{ line: 1, entry }] };
  t.match((await plane.call('POST /v1/titles/import', { body })).json, { results: [{ takesVideo: true }] });
  t.match((await plane.call(`POST /v1/titles/${title.id}/withdraw`)).json, { code: 'TITLE_NOT_LIVE' });
  await completeWith(encoder, title.bundle);
  t.match((await plane.call(`GET /v1/titles/${title.id}`)).json, { state: 'filling' });
  const second = await withdraw(plane, title.id);
  t.not(second.id, first.id);
  t.match((await plane.call(`GET /v1/titles/${title.id}`)).json, { state: 'withdrawn' });
  const { bundles, withdrawals = [] } = await ordersFor(plane, a1);
  t.same(bundles, [title.bundle]);
  const told = withdrawals.find(({ withdrawal }) => withdrawal === second.id);
  t.same(new Set(told?.files), new Set(title.files), 'boxes are told to delete it once more');
  t.equal((await withdraw(plane, title.id)).id, second.id);
  await plane.call(`POST /v1/withdrawals/${second.id}/lift`);
  t.same((await ordersFor(plane, a1)).bundles, [], 'the earlier one holds nothing up');
});

t.test('a box that is enrolled anew has to confirm anew', async (t) => {
  const { plane, encoder, a1 } = await start(t);
  const title = await addTitle(plane, encoder, { name: 'Film' });
  const { id } = await withdraw(plane, title.id);
  await confirm(plane, a1, { withdrawal: id });
  await plane.call('DELETE /v1/nodes/isp-a-1');
  const anew = await enrolNode(plane, 'isp-a-1', { site: 'isp-a' });
  await anew.beat();
  const stateOf = async () => {
    const { nodes } = (await plane.call(`GET /v1/withdrawals/${id}`)).as(WithdrawalView);
    return nodes.find((node) => node.id === 'isp-a-1');
  };
  t.match(await stateOf(), { confirmed: false });
  await confirm(plane, anew, { withdrawal: id, deletedFiles: 1 });
  t.match(await stateOf(), { confirmed: true, deletedFiles: 1 });
});

t.test(
  'what other titles are made of stays; a title without files, or with a twin, cannot be withdrawn',
  async (t) => {
    const { plane, encoder, a1 } = await start(t);
    // Bundles of their own over the same media files.
    const [one, two] = [
      await addTitle(plane, encoder, { name: 'One' }),
      await addTitle(plane, encoder, { name: 'Two' }),
    ];
    await withdraw(plane, one.id);
    t.same((await ordersFor(plane, a1)).withdrawals?.[0]?.files, [one.bundle]);
    t.match((await plane.call(`GET /v1/titles/${two.id}`)).as(TitleView).state, /filling|live/);
    const unknown = await plane.call('POST /v1/titles/title_00000000/withdraw');
    t.match(unknown, { status: 404, json: { code: 'TITLE_UNKNOWN' } });
    const asked = await a1.call(`POST /v1/titles/${two.id}/withdraw`);
    t.ok([401, 403].includes(asked.status), 'a box cannot withdraw');
  },
);

t.test(
  'boxes are told until all have confirmed and no token can be left; what was cut short goes on',
  async (t) => {
    const records = await openRecords(`sqlite:${join(await temporaryDir(t), 'withdrawal.db')}`);
    t.teardown(() => records.close());
    const clock = createManualClock();
    const key = generateKey();
    const files = [{ file: 'a'.repeat(64), sizeBytes: 5 }];
    const done: string[] = [];
    const revoked: string[] = [];
    let fails = true;
    const open = () =>
      openWithdrawals({
        ...{ records, clock, chance: createSystemChance(), log: createSilentLog() },
        catalog: {
          withdrawable: (titleId) => ({
            titleId,
            name: 'Film',
            bundle: 'b'.repeat(64),
            others: [],
            pictures: [],
            files,
          }),
          isWithdrawn: (titleId) => done.includes(titleId),
          withdraw: (titleId) => {
            done.push(titleId);
            return Promise.resolve(['c'.repeat(64)]);
          },
          bundles: () => [],
        },
        nodes: {
          serving: () => [{ id: 'box', state: 'ready', enrolledAtMs: 0 }],
          findNode: () => ({ nodeId: 'box', publicKey: key.publicKey, revoked: false }),
        },
        revocations: {
          revoke: (bundles) => {
            if (fails) return Promise.reject(new Error('the disk is full'));
            revoked.push(...bundles);
            return Promise.resolve({ sequence: 7 });
          },
          lift: () => Promise.resolve(),
        },
      });
    const first = await open();
    await t.rejects(first.withdraw('title_00000000'));
    const withdrawals = await open();
    fails = false;
    await withdrawals.start();
    const [view] = withdrawals.views();
    t.match(view, { revocationsSequence: 7, complete: false }, 'the next start carries it out');
    t.same(done, ['title_00000000', 'title_00000000']);
    t.same(revoked, ['b'.repeat(64), 'c'.repeat(64)], 'with a picture that was made since');
    const id = view?.id ?? '';
    const told = [{ withdrawal: id, files: files.map(({ file }) => file) }];
    const day = 86_400_000;
    clock.jumpWall(3 * day);
    t.same(await withdrawals.active(), told, 'a box is away');
    const nowMs = clock.nowMs();
    const body = { withdrawal: id, deletedFiles: 1, deletedBytes: 5, doneAtMs: nowMs };
    const payload = {
      audience: receiptAudience,
      sequence: 7,
      issuedAtMs: nowMs,
      notAfterMs: nowMs + 1000,
      body,
    };
    await withdrawals.receive('box', await signDocument(documentTypes.withdrawalReceipt, payload, key));
    t.same(await withdrawals.active(), [], 'all have confirmed, and tokens have ended');
    const later = await open();
    t.same(await later.active(), []);
    t.match(later.views(), [{ id, complete: true, nodes: [{ id: 'box', deletedBytes: 5 }] }]);
    await later.withdraw('title_11111111');
    t.equal((await later.active()).length, 1);

    // As many as may be: ids are by chance, so that they tell nothing of age.
    const { withdrawals: kept } = openWithdrawalRecords(records);
    const past = (await kept.get(id))?.value;
    if (past === undefined) throw new Error('the withdrawal is not kept');
    for (let index = 0; index < 998; index += 1) {
      const aged = `withdraw_${String(1000 - index).padStart(8, '0')}`;
      await kept.put(aged, { ...past, id: aged, withdrawnAtMs: past.withdrawnAtMs - 998 + index });
    }
    const full = await open();
    await full.withdraw('title_22222222');
    const ids = full.views().map((each) => each.id);
    t.equal(ids.length, 1000);
    t.notOk(ids.includes('withdraw_00001000'), 'the oldest is forgotten');
    t.ok(ids.includes('withdraw_00000003'), 'the newest of them is not');
  },
);
