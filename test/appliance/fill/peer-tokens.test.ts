import t from 'tap';

import { generateKey } from '../../../common/runtime/keys.ts';
import { putFile, seededBytes, testFile, testToken } from '../../support/appliance/content.ts';
import { startFilling } from '../../support/appliance/filling-box.ts';
import { until } from '../../support/appliance/raw-http.ts';
import {
  engineKinds,
  temporaryDirectory,
  testDisk,
  testEngine,
} from '../../support/appliance/serving-box.ts';

for (const kind of engineKinds) {
  void t.test(
    `${kind}: a peer gives files only for a token that is in force; with a new one the fill goes on`,
    async (test) => {
      const film = testFile(seededBytes(3 * 2 ** 20 + 1, 1));
      const [{ disk: theirs }, { disk: ours }] = [
        await testDisk(await temporaryDirectory(test)),
        await testDisk(await temporaryDirectory(test)),
      ];
      test.teardown(() => Promise.all([theirs.close(), ours.close()]));
      await putFile(theirs, film);
      const peer = await testEngine(test, { content: theirs, kind });
      const claims = { scope: 'fill', appliance: 'box' } as const;
      const nowS = Math.floor(Date.now() / 1000);
      const tokens = [
        testToken(peer.key, { ...claims, issuedAtS: nowS - 100, expiresAtS: nowS - 10 }),
        testToken(generateKey(), claims),
        testToken(peer.key, claims),
      ];
      let answers = 0;
      const { want, outcomes } = startFilling(test, {
        store: ours,
        ways: () => {
          const token = tokens[Math.min(answers++, tokens.length - 1)] ?? '';
          return [{ kind: 'peer', node: 'peer', base: `${peer.url}/v1/${token}/`, waitMs: 0 }];
        },
      });
      want(film);
      await until(() => ours.held.has(film.file));
      test.ok(answers >= 3);
      test.match(outcomes.at(-1)?.bytesBySource, [{ node: 'peer', bytes: film.bytes.length }]);
      test.ok(outcomes.slice(0, -1).every(({ detail }) => detail === 'peer: denied'));
    },
  );
}
