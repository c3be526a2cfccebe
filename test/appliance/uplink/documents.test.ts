import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';

import { DocumentKeeper } from '../../../appliance/uplink/document-keeper.ts';
import { followDocument } from '../../../appliance/uplink/document-follower.ts';
import { documentTypes, FillManifest } from '../../../common/contract/documents.ts';
import { createSeededChance } from '../../../common/runtime/chance.ts';
import { coded } from '../../../common/runtime/errors.ts';
import { createSystemClock } from '../../../common/runtime/clock.ts';
import { generateKey } from '../../../common/runtime/keys.ts';
import { createSilentLog } from '../../../common/runtime/log.ts';
import { ControlDouble } from '../../support/appliance/control-double.ts';
import { createFastClock } from '../../support/appliance/fast-clock.ts';
import { until } from '../../support/appliance/raw-http.ts';
import { temporaryDirectory } from '../../support/appliance/serving-box.ts';

const typ = documentTypes.fillManifest;

async function keeper(test: Test, options: { path?: string; control?: ControlDouble } = {}) {
  const control = options.control ?? new ControlDouble();
  const path = options.path ?? join(await temporaryDirectory(test), 'fill-manifest.jws');
  const seen: string[] = [];
  const known = new Map([[control.keys.documents.kid, control.keys.documents.publicKey]]);
  const made = new DocumentKeeper({
    typ,
    schema: FillManifest,
    audience: 'box',
    path,
    findKey: (kid) => known.get(kid),
    clock: createSystemClock(),
    log: createSilentLog(),
    records: {
      heartbeat: () => undefined,
      document: (_kind, outcome) => void seen.push(outcome),
      routes: () => undefined,
    },
  });
  const body = { appliance: 'box', files: [], roster: [] };
  const sign = (
    sequence: number,
    more: Partial<Parameters<ControlDouble['sign']>[2]> & { audience?: string } = {},
  ) => control.sign(typ, more.audience ?? 'box', { sequence, body, ...more });
  return { made, path, seen, sign, control, known, body };
}

void t.test(
  'only what is signed, ours, fresh and newer is taken; all else is coded, counted and told',
  async (test) => {
    const { made, seen, sign, control, body, path } = await keeper(test);
    test.equal(await made.take(await sign(5)), true);
    test.equal(made.sequence, 5);
    const good = await sign(6);
    const [head, payload, signature] = good.split('.') as [string, string, string];
    const altered = Buffer.from(
      Buffer.from(payload, 'base64url').toString().replace('"sequence":6', '"sequence":9'),
    ).toString('base64url');
    const refusals: [string, string][] = [
      [[head, altered, signature].join('.'), 'SIGNATURE_INVALID'],
      ['garbage', 'SIGNATURE_INVALID'],
      [await sign(4), 'DOCUMENT_STALE'],
      [await sign(7, { audience: 'other' }), 'DOCUMENT_FOREIGN'],
      [await sign(8, { notAfterMs: Date.now() - 1000 }), 'DOCUMENT_EXPIRED'],
      [await control.sign(documentTypes.revocations, 'box', { sequence: 9, body }), 'SIGNATURE_INVALID'],
      [await sign(9, { body: { appliance: 'box', files: 'all' } }), 'SIGNATURE_INVALID'],
    ];
    for (const [jws, code] of refusals) {
      test.equal(await made.take(jws), false, code);
      test.same(made.reasons(), [code]);
      test.equal(seen.at(-1), code);
      test.equal(made.sequence, 5, 'the last good one stays in force');
    }
    await test.rejects(made.take(await sign(10, { key: generateKey() })), { code: 'KEY_UNKNOWN' });
    test.same(made.reasons(), ['KEY_UNKNOWN']);
    test.equal(await made.take(good), true);
    test.same(made.reasons(), []);
    test.equal(await readFile(path, 'utf8'), good, 'and is the one that is kept');
  },
);

void t.test(
  'the last good one holds over a restart, even past its time; a spoilt one is left aside',
  async (test) => {
    const first = await keeper(test);
    await writeFile(first.path, await first.sign(3, { notAfterMs: Date.now() - 1000 }));
    await first.made.load();
    test.equal(first.made.sequence, 3);
    test.same(first.made.reasons(), ['DOCUMENT_EXPIRED']);
    await writeFile(first.path, 'cut short');
    const second = await keeper(test, { path: first.path, control: first.control });
    await second.made.load();
    test.equal(second.made.sequence, 0);
  },
);

void t.test(
  'a key that is not known yet is asked for; a control plane that fails is asked again',
  async (test) => {
    const { made, sign, known } = await keeper(test);
    const key = generateKey();
    const rotated = await sign(2, { key });
    let asked = 0;
    const end = new AbortController();
    const done = followDocument({
      keeper: made,
      poll: (after, signal) => {
        asked++;
        if (asked < 3) return Promise.reject(coded('CONTROL_UNREACHABLE'));
        if (after < 2) return Promise.resolve(rotated);
        return new Promise((resolve) => {
          signal.addEventListener('abort', () => {
            resolve(undefined);
          });
        });
      },
      renewKeys: () => {
        known.set(key.kid, key.publicKey);
        return Promise.resolve();
      },
      clock: createFastClock(50),
      chance: createSeededChance(1),
      log: createSilentLog(),
      signal: end.signal,
    });
    await until(() => made.sequence === 2);
    test.same(made.reasons(), []);
    end.abort();
    await done;
  },
);
