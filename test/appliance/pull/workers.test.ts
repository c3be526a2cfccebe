import t from 'tap';

import { startSource, type FillSource } from '../../support/appliance/fill-source.ts';
import { mib, startPull } from '../../support/appliance/pulling-box.ts';
import { rawGet, until } from '../../support/appliance/raw-http.ts';
import { engineKinds } from '../../support/appliance/serving-box.ts';
import { makePool } from '../../support/appliance/serving-pool.ts';

for (const kind of engineKinds) {
  void t.test(`${kind}: fifty viewers at all workers, one request for each chunk`, async (test) => {
    const viewers = 50;
    const sources: FillSource[] = [];
    const pool = await makePool(test, {
      kind,
      filmBytes: 3 * mib + 5,
      holds: false,
      miss: 'fetch',
      pulls: (store) =>
        startPull(test, store, { ways: () => sources.map((each) => each.way('origin')) }).puller,
    });
    const origin = await startSource(test, { name: 'origin', files: [pool.film, pool.bundle] });
    sources.push(origin);
    const { port } = await pool.serving.start();
    const { film, bundle } = pool;
    origin.beforeSend = async () => {
      if (origin.asked.includes(film.file)) await until(() => pool.serving.load().liveRequests >= viewers);
    };
    const answers = await Promise.all(Array.from({ length: viewers }, () => rawGet(port, pool.path())));
    for (const { status, body } of answers) {
      test.equal(status, 200);
      test.ok(body.equals(film.bytes));
    }
    test.equal(origin.askedBytes, film.bytes.length + bundle.bytes.length);
    await until(() => pool.store.held.has(film.file));
    const held = await rawGet(port, pool.path());
    test.equal(held.headers['cache-status'], 'nearcast;hit');
    await until(() => pool.served() === (viewers + 1) * film.bytes.length);
  });
}
