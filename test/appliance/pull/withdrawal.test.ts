import t from 'tap';

import { Withdrawals } from '../../../appliance/uplink/withdrawals.ts';
import { createSeededChance } from '../../../common/runtime/chance.ts';
import { createSystemClock } from '../../../common/runtime/clock.ts';
import { generateKey } from '../../../common/runtime/keys.ts';
import { createSilentLog } from '../../../common/runtime/log.ts';
import { startSource } from '../../support/appliance/fill-source.ts';
import { filmOf, mib, startPullingBox } from '../../support/appliance/pulling-box.ts';
import { rawGet, until } from '../../support/appliance/raw-http.ts';

void t.test(
  'a title withdrawn while it is pulled: nothing of it stays or comes back, and others are pulled on',
  async (test) => {
    const gone = filmOf(8 * mib, 40);
    const other = filmOf(2 * mib, 41);
    const source = await startSource(test, {
      name: 'origin',
      files: [gone.film, gone.bundle, other.film, other.bundle],
    });
    const box = await startPullingBox(test, { kind: 'native', ways: () => [source.way('origin')] });
    const { disk, pull } = box;
    const receipts: string[] = [];
    const withdrawals = new Withdrawals({
      ...{ store: disk, drop: (file: string) => pull.store.drop(file), key: generateKey() },
      send: (jws) => Promise.resolve(void receipts.push(jws)),
      ...{ clock: createSystemClock(), chance: createSeededChance(1), log: createSilentLog() },
    });
    const end = new AbortController();
    const running = withdrawals.run(end.signal);
    test.teardown(async () => {
      end.abort();
      await running;
    });

    const gate = Promise.withResolvers<void>();
    source.beforeSend = (sentBytes) => (sentBytes >= 2 * mib ? gate.promise : Promise.resolve());
    const path = `/v1/${box.viewer(gone.bundle)}/${gone.film.file}.mp4`;
    const cut = rawGet(box.port, path).catch(() => undefined);
    await until(() => pull.received() > 2 * mib);
    test.ok(disk.partial.has(gone.film.file));
    const files = [gone.film.file, gone.bundle.file];
    withdrawals.set(1, {
      sessions: [],
      bundles: [],
      withdrawals: [{ withdrawal: 'withdraw_1', files }],
    });
    box.revoked.bundles.add(gone.bundle.file);
    await until(() => receipts.length > 0);
    gate.resolve();
    await cut;
    for (const file of files) test.notOk(disk.partial.has(file) || disk.held.has(file));
    test.equal((await rawGet(box.port, path)).status, 403);
    const answer = await rawGet(box.port, `/v1/${box.viewer(other.bundle)}/${other.film.file}.mp4`);
    test.ok(answer.body.equals(other.film.bytes), 'it is no trouble of the disk');
  },
);
