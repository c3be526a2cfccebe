import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';

import type { ContentSource } from '../../../appliance/store/content.ts';
import { putFile, seededBytes, testBundle, testFile, testToken } from '../../support/appliance/content.ts';
import { rawGet } from '../../support/appliance/raw-http.ts';
import {
  engineKinds,
  temporaryDirectory,
  testDisk,
  testEngine,
} from '../../support/appliance/serving-box.ts';
import { secureGet } from '../../support/appliance/tls-client.ts';
import { makeCertificate } from '../../support/certificates.ts';

const run = promisify(execFile);
const scenes = join(import.meta.dirname, '../../support/appliance/native-lifetimes.ts');

// Memory that was freed is overwritten at once, so that whoever still uses it does not get away with it.
const env = { ...process.env, GLIBC_TUNABLES: 'glibc.malloc.tcache_count=0:glibc.malloc.perturb=165' };

for (const scene of ['idle', 'in-callback', 'in-microtask', 'lent-memory', 'stream-in-callback']) {
  void t.test(`the addon's server is destroyed: ${scene}`, async (test) => {
    const { stdout } = await run(process.execPath, [scenes, scene], { env, timeout: 30_000 });
    test.equal(stdout, 'ended well\n');
  });
}

async function makeBox(test: Test, kind: (typeof engineKinds)[number]) {
  const { disk } = await testDisk(await temporaryDirectory(test));
  test.teardown(() => disk.close());
  const film = testFile(seededBytes(100_000, 1));
  const bundle = testBundle([film]);
  for (const file of [film, bundle]) await putFile(disk, file);
  // What happens while the film is being opened.
  const meanwhile: (() => void)[] = [];
  let isHeld = true;
  const content: ContentSource = {
    open: async (file, form) => {
      const opened = file === film.file && !isHeld ? undefined : await disk.open(file, form);
      if (file === film.file) meanwhile.pop()?.();
      return opened;
    },
  };
  const box = await testEngine(test, { kind, content });
  const session = 'ab'.repeat(16);
  const path = `/v1/${testToken(box.key, { bundle: bundle.file, session })}/${film.file}.mp4`;
  const take = (): void => {
    isHeld = false;
    box.engine.forget(film.file);
  };
  const revoke = (): void => {
    box.revoked.sessions.add(session);
    box.engine.tokensChanged();
  };
  return { ...box, film, path, meanwhile, take, revoke };
}

for (const kind of engineKinds) {
  void t.test(
    `${kind}: what is taken back while a request is being decided is not served later`,
    async (test) => {
      const revoked = await makeBox(test, kind);
      revoked.meanwhile.push(revoked.revoke);
      await rawGet(revoked.port, revoked.path);
      test.equal((await rawGet(revoked.port, revoked.path)).status, 403);
      const taken = await makeBox(test, kind);
      taken.meanwhile.push(taken.take);
      await rawGet(taken.port, taken.path);
      test.equal((await rawGet(taken.port, taken.path)).status, 404);
    },
  );

  void t.test(`${kind}: TLS comes and goes under the same socket`, async (test) => {
    const box = await makeBox(test, kind);
    const directory = await temporaryDirectory(test);
    const { cert, key } = await makeCertificate(directory, { file: 'box', hosts: ['box.example.org'] });
    const certificates = [{ names: ['box.example.org'], chainPem: cert, keyPem: key }];
    test.equal((await rawGet(box.port, box.path)).status, 200);
    box.engine.setTls({ certificates, h2: false });
    const { status } = await secureGet({ port: box.port, path: box.path, rejectUnauthorized: false });
    test.equal(status, 200);
    box.engine.setTls(undefined);
    test.equal((await rawGet(box.port, box.path)).status, 200);
  });

  void t.test(`${kind}: what a box is told after its end does no harm`, async (test) => {
    const { engine, film } = await makeBox(test, kind);
    await engine.close(0);
    engine.tokensChanged();
    engine.forget(film.file);
    engine.setTicketKeys([Buffer.alloc(80)]);
    engine.setTls(undefined);
    engine.setAddressKey(Buffer.alloc(32));
    engine.admit('all');
    engine.shed({ level: 'normal', headroom: 1, reasons: [] });
    test.equal(engine.load().connections, 0);
    await engine.close(0);
  });
}
