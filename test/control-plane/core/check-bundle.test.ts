import t from 'tap';
import { Bundle } from '../../../common/contract/bundle.ts';
import { matches } from '../../../common/runtime/parse.ts';
import { checkBundle } from '../../../control-plane/core/check-bundle.ts';
import { captionedBundle, fileNamed, sampleBundle } from '../support/sample-bundle.ts';

/** A copy of the sample that something was done to. */
function spoiled(spoil: (bundle: Bundle) => void): Bundle {
  const bundle = sampleBundle();
  spoil(bundle);
  return bundle;
}

const [first, second] = [0, 1];

t.test('a sound bundle passes', async (t) => {
  t.ok(matches(Bundle, sampleBundle()));
  t.strictSame(checkBundle(sampleBundle()).ok, true);
  t.ok(matches(Bundle, captionedBundle()));
  t.strictSame(checkBundle(captionedBundle()).ok, true);
  const repeated = spoiled(({ files }) => files.push(...files.slice(-1)));
  t.equal(checkBundle(repeated).ok, true, 'equal content has one name and may be listed again');
});

const cases: readonly [string, Bundle][] = [
  ['is not in the list', { ...captionedBundle(), files: sampleBundle().files }],
  ['is not in the list', spoiled((bundle) => (bundle.poster = fileNamed('elsewhere')))],
  ['is not in the list', spoiled((bundle) => bundle.thumbnails.sprites.push(fileNamed('elsewhere')))],
  ['is not in the list', spoiled((bundle) => bundle.files.shift())],
  ['instead of mp4', spoiled((bundle) => Object.assign(bundle.files[first] ?? {}, { ext: 'jpg' }))],
  ['the same id', spoiled((bundle) => Object.assign(bundle.video[second] ?? {}, { id: 'v1080' }))],
  ['the same id', spoiled((bundle) => Object.assign(bundle.audio[first] ?? {}, { id: 'v1080' }))],
  ['overlap', spoiled((bundle) => bundle.video[first]?.segments.reverse())],
  ['overlap', spoiled((bundle) => Object.assign(bundle.video[first] ?? {}, { initLengthBytes: 5000 }))],
  ['in a file of', spoiled((bundle) => Object.assign(bundle.files[first] ?? {}, { sizeBytes: 1000 }))],
  ['other segment boundaries', spoiled((bundle) => bundle.video[second]?.segments.pop())],
  [
    'other segment boundaries',
    spoiled((bundle) => Object.assign(bundle.video[second] ?? {}, { timescale: 12_000 })),
  ],
  [
    'two sizes',
    spoiled(({ files }) =>
      files.push(...files.slice(-1).map((file) => ({ ...file, sizeBytes: file.sizeBytes + 1 }))),
    ),
  ],
];

t.test('what makes no sense is refused and named', async (t) => {
  for (const [detail, bundle] of cases) {
    const result = checkBundle(bundle);
    t.match(result, { ok: false, code: 'BUNDLE_INVALID', detail: new RegExp(detail) });
  }
});
