import t from 'tap';

import { startSource } from '../../support/appliance/fill-source.ts';
import { filmOf, mib, startPullingBox } from '../../support/appliance/pulling-box.ts';
import { rawGet } from '../../support/appliance/raw-http.ts';
import { engineKinds } from '../../support/appliance/serving-box.ts';

for (const kind of engineKinds) {
  void t.test(`${kind}: a viewer is sent to who holds it, with the token in the path`, async (test) => {
    const { film, bundle } = filmOf(2 * mib, 1);
    const foreign = filmOf(mib, 2);
    const mate = await startSource(test, { name: 'mate', files: [film, bundle] });
    const origin = await startSource(test, { name: 'origin', files: [film, bundle, foreign.film] });
    const box = await startPullingBox(test, {
      kind,
      mode: 'redirect',
      ways: (file) => (file === 'f'.repeat(64) ? [] : [mate.way('peer'), origin.way('origin')]),
    });
    const token = box.viewer(bundle);
    const base = mate.way().base.replace('/v1/token/', '');
    const path = `/v1/${token}/${film.file}.mp4`;
    for (const target of [path, `${path}?CMCD=bs`, `http://box${path}?CMCD=bs`]) {
      const answer = await rawGet(box.port, target, { headers: { range: 'bytes=5-9' } });
      test.equal(answer.status, 307);
      test.equal(answer.headers['location'], base + target.replace('http://box', ''));
      test.equal(answer.headers['cache-control'], 'no-store');
      test.equal(answer.headers['access-control-allow-origin'], '*');
      test.equal(answer.headers['referrer-policy'], 'no-referrer');
      test.equal(answer.headers['content-length'], '0');
    }
    test.equal((await rawGet(box.port, path, { method: 'HEAD' })).status, 307);
    test.same([mate.asked, origin.asked], [[bundle.file], []], 'the bundle alone, to judge the token');
    test.equal((await rawGet(box.port, `/v1/${token}/${foreign.film.file}.mp4`)).status, 403);
    test.equal(await box.pull.count('nearcast_misses_total{outcome="redirected"}'), 4);
    test.notOk(box.disk.held.has(film.file));
  });
}

void t.test('where nobody has it, it is refused', async (test) => {
  const { film, bundle } = filmOf(mib, 3);
  const origin = await startSource(test, { name: 'origin', files: [bundle] });
  const box = await startPullingBox(test, {
    kind: 'native',
    mode: 'redirect',
    ways: (file) => (file === bundle.file ? [origin.way('origin')] : []),
  });
  const answer = await rawGet(box.port, `/v1/${box.viewer(bundle)}/${film.file}.mp4`);
  test.equal(answer.status, 404);
  test.match(answer.body.toString(), /FILE_UNKNOWN/);
});
