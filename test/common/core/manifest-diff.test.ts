import fc from 'fast-check';
import t from 'tap';

import { documentTypes, FillManifest } from '../../../common/contract/documents.ts';
import { ManifestDiff } from '../../../common/contract/manifest-diff.ts';
import { applyManifestDiff, diffManifest } from '../../../common/core/manifest-diff.ts';
import { generateKey } from '../../../common/runtime/keys.ts';
import { parseAs } from '../../../common/runtime/parse.ts';
import { openDocument, signDocument } from '../../../common/runtime/signed-documents.ts';

const key = generateKey();

function sign(sequence: number, body: FillManifest): Promise<string> {
  const times = { issuedAtMs: sequence, notAfterMs: 1e12 };
  return signDocument(documentTypes.fillManifest, { audience: 'box', sequence, ...times, body }, key);
}

function open(jws: string) {
  return openDocument(jws, {
    ...{ typ: documentTypes.fillManifest, schema: FillManifest, audience: 'box', sequenceMin: 0, nowMs: 0 },
    findKey: () => key.publicKey,
  });
}

/** As it crosses the wire: through text and the schema. */
function sent(diff: ManifestDiff): ManifestDiff {
  return parseAs(ManifestDiff, JSON.parse(JSON.stringify(diff)), { what: 'the difference' });
}

// Few names, so that two manifests share many files, some of them with other sizes.
const file = fc.record(
  {
    file: fc.integer({ min: 0, max: 40 }).map((id) => id.toString(16).padStart(64, '0')),
    ext: fc.constantFrom('mp4', 'm3u8'),
    sizeBytes: fc.integer({ min: 0, max: 3 }),
    bundle: fc.constant('b'.repeat(64)),
    urgent: fc.constant(true as const),
  },
  { requiredKeys: ['file', 'ext', 'sizeBytes', 'bundle'] },
);
const manifest: fc.Arbitrary<FillManifest> = fc.record(
  {
    appliance: fc.constant('box'),
    files: fc.array(file, { maxLength: 60 }),
    roster: fc.array(fc.record({ id: fc.constantFrom('a', 'b', 'c'), url: fc.constant('http://a.test') }), {
      maxLength: 4,
    }),
    capBytesPerSecond: fc.integer({ min: 1, max: 5 }),
    window: fc.constant({ startMinute: 120, endMinute: 840, timeZone: 'Asia/Kathmandu', jitterMinutes: 0 }),
  },
  { requiredKeys: ['appliance', 'files', 'roster'] },
);

t.test(
  'a difference applied to the manifest before is the whole, to the last byte of its signature',
  async (t) => {
    const property = fc.asyncProperty(manifest, manifest, async (before, after) => {
      const [base, whole] = await Promise.all([sign(1, before), sign(2, after)]);
      const applied = applyManifestDiff(await open(base), sent(diffManifest(base, whole)));
      return applied.ok && applied.value === whole;
    });
    await fc.assert(property, { numRuns: 150 });
    t.pass('for all of them');
  },
);

t.test('a few changes of many files are told in few bytes, whatever their order', async (t) => {
  const files = Array.from({ length: 5000 }, (_, id) => ({
    ...{ file: id.toString(16).padStart(64, '0'), ext: 'mp4', sizeBytes: id, bundle: 'b'.repeat(64) },
  }));
  const base = await sign(1, { appliance: 'box', files, roster: [] });
  const moved = [
    ...files.slice(3000),
    ...files.slice(0, 2990),
    { ...files[0], file: 'f'.repeat(64) } as (typeof files)[0],
  ];
  const whole = await sign(2, { appliance: 'box', files: moved, roster: [] });
  const diff = diffManifest(base, whole);
  t.equal(diff.files.length, 3, 'two runs and a new file');
  t.ok(JSON.stringify(diff).length < 2000);
  const applied = applyManifestDiff(await open(base), sent(diff));
  t.equal(applied.ok && applied.value, whole);
});

t.test('what does not fit the manifest held is refused, and what was altered does not verify', async (t) => {
  const entry = { file: 'a'.repeat(64), ext: 'mp4', sizeBytes: 1, bundle: 'b'.repeat(64) };
  const [first, second, third] = await Promise.all([
    sign(1, { appliance: 'box', files: [entry], roster: [] }),
    sign(2, { appliance: 'box', files: [entry, { ...entry, sizeBytes: 2 }], roster: [] }),
    sign(3, { appliance: 'box', files: [entry], roster: [] }),
  ]);
  const diff = diffManifest(first, second);
  t.match(applyManifestDiff(await open(third), diff), { ok: false, code: 'DOCUMENT_STALE' });
  const beyond = { ...diff, files: [[0, 2] as [number, number]] };
  t.match(applyManifestDiff(await open(first), beyond), { ok: false, code: 'SIGNATURE_INVALID' });
  const endless = { ...diff, files: Array.from({ length: 9 }, (): [number, number] => [0, 2_000_000]) };
  t.match(applyManifestDiff(await open(first), endless), { ok: false, code: 'SIGNATURE_INVALID' });
  const altered = applyManifestDiff(await open(first), { ...diff, files: [[0, 1]] });
  await t.rejects(open(altered.ok ? altered.value : ''), { code: 'SIGNATURE_INVALID' });
});
