import t from 'tap';

import { limitHeight } from '../../../control-plane/core/limit-height.ts';
import { sampleBundle } from '../support/sample-bundle.ts';

const bundle = sampleBundle();
const idsUpTo = (heightMax: number | undefined, of = bundle) =>
  limitHeight(of, heightMax).video.map(({ id }) => id);

t.test('renditions up to a height', async (t) => {
  t.equal(limitHeight(bundle, undefined), bundle);
  t.strictSame(idsUpTo(2160), ['v1080', 'v720', 'v360']);
  t.strictSame(idsUpTo(720), ['v720', 'v360']);
  t.strictSame(idsUpTo(719), ['v360']);
  t.strictSame(idsUpTo(100), ['v360'], 'there is always a picture');
  const upright = {
    ...bundle,
    video: bundle.video.map((video) => ({ ...video, width: video.height, height: video.width })),
  };
  t.strictSame(idsUpTo(720, upright), ['v720', 'v360'], 'upright ones by their short side');
  t.strictSame(limitHeight(bundle, 720).audio, bundle.audio);
});
