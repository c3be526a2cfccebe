import t from 'tap';

import { BundleIndex } from '../../../appliance/engine/bundle-index.ts';
import { TokenGate } from '../../../appliance/engine/token-gate.ts';
import { generateKey } from '../../../common/runtime/keys.ts';
import { createManualClock } from '../../../common/runtime/manual-clock.ts';
import type { OpenContent } from '../../../appliance/store/content.ts';
import { testToken } from '../../support/appliance/content.ts';

const file = 'ab'.repeat(32);

function makeGate() {
  const clock = createManualClock();
  const key = generateKey();
  const state = { inForce: true, asked: 0 };
  const gate = new TokenGate({
    findKey: (kid) => {
      state.asked++;
      return state.inForce && kid === key.kid ? key.publicKey : undefined;
    },
    bundles: new BundleIndex({ content: { open: () => Promise.resolve(undefined) }, filesMax: 10 }),
    revocations: { isSessionRevoked: () => false, isBundleRevoked: () => false },
    clock,
    cacheBytes: 2 ** 20,
  });
  const token = testToken(key, { scope: 'fill', appliance: 'isp-a-1', nowMs: clock.nowMs() });
  const admit = () => gate.admit({ token, file, ext: 'mp4' }, '192.0.2.1');
  return { clock, key, state, gate, token, admit };
}

void t.test('a signature is verified once a minute, so that a key that has run out counts', async (test) => {
  const { clock, state, admit } = makeGate();
  for (let time = 0; time < 3; time++) test.match(await admit(), { ok: true });
  test.equal(state.asked, 1);
  state.inForce = false;
  await clock.advance(59_999);
  test.match(await admit(), { ok: true });
  await clock.advance(1);
  test.match(await admit(), { ok: false, code: 'TOKEN_INVALID' });
});

void t.test('changed keys count at once, and leave known who is known', async (test) => {
  const { state, gate, token, admit } = makeGate();
  test.notOk(gate.isKnown(token));
  await admit();
  gate.verifyAgain();
  test.ok(gate.isKnown(token), 'a drain goes on serving it');
  test.match(await admit(), { ok: true });
  state.inForce = false;
  gate.verifyAgain();
  test.match(await admit(), { ok: false, code: 'TOKEN_INVALID' });
  test.notOk(gate.isKnown(token));
});

void t.test('a picture’s token reads the files of its bundle, and is nobody’s session', async (test) => {
  const { clock, key } = makeGate();
  const bundle = 'cd'.repeat(32);
  const text = JSON.stringify({ version: 1, artwork: 'artwork_1', files: [{ file, ext: 'webp' }] });
  const content = {
    open: (name: string) => Promise.resolve(name === bundle ? heldText(text) : undefined),
  };
  const noted: string[] = [];
  const gate = new TokenGate({
    findKey: () => key.publicKey,
    bundles: new BundleIndex({ content, filesMax: 10 }),
    revocations: { isSessionRevoked: () => false, isBundleRevoked: () => false },
    sessions: { note: (session) => void noted.push(session), has: () => false },
    ...{ clock, cacheBytes: 2 ** 20 },
  });
  const token = testToken(key, { scope: 'picture', bundle, nowMs: clock.nowMs() });
  test.match(await gate.admit({ token, file, ext: 'webp' }, '192.0.2.1'), { ok: true });
  test.match(await gate.admit({ token, file: 'ef'.repeat(32), ext: 'mp4' }, '192.0.2.1'), {
    code: 'TOKEN_FOREIGN',
  });
  test.match(await gate.admit({ token, file, ext: 'mp4' }, '192.0.2.1'), { code: 'FILE_UNKNOWN' });
  test.same(noted, [], 'no drain waits for who looks at pictures');
  await gate.admit(
    { token: testToken(key, { bundle, nowMs: clock.nowMs() }), file, ext: 'webp' },
    '192.0.2.1',
  );
  test.equal(noted.length, 1, 'who plays is a session');
});

function heldText(text: string): OpenContent {
  const bytes = Buffer.from(text);
  const nothing = (): void => undefined;
  return {
    ...{ sizeBytes: bytes.length, lastModifiedMs: 0, isLocal: () => true, release: nothing },
    read: (at, length) => Promise.resolve({ bytes: bytes.subarray(at, at + length), release: nothing }),
  };
}
