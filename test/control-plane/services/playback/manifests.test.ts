import assert from 'node:assert/strict';

import t from 'tap';
import type { ManifestInput } from '../../../../control-plane/core/playback-manifest.ts';
import { dashMpd } from '../../../../control-plane/core/dash-mpd.ts';
import { hlsMultivariant } from '../../../../control-plane/core/hls-multivariant.ts';
import { Manifests } from '../../../../control-plane/services/playback/manifests.ts';
import { captionedBundle, fileNamed } from '../../support/sample-bundle.ts';

const [english] = captionedBundle().audio;
assert(english !== undefined);
const input: ManifestInput = {
  name: 'Film',
  bundle: { ...captionedBundle(), audio: [english, { ...english, id: 'a-fr', language: 'fr' }] },
  pathways: [{ id: 'isp-a-1', url: 'http://127.0.1.1:8080' }],
  playToken: 'a-token-of-one-session',
  steeringUrl: undefined,
};
const write = { hls: hlsMultivariant, dash: dashMpd };

for (const kind of ['hls', 'dash'] as const) {
  await t.test(`${kind}: what sessions share is made once, what they do not is their own`, async (t) => {
    const manifests = new Manifests();
    const name = fileNamed('bundle');
    const other = { ...input, name: 'Le film', playToken: 'a-token-of-another-one' };
    t.equal(manifests.write(kind, name, input), write[kind](input));
    t.equal(manifests.write(kind, name, other), write[kind](other));
    // A bundle is named by what it holds, so that another one of the same name can only come of what is kept.
    const { bundle } = input;
    const changed = { ...bundle, video: bundle.video.map((video) => ({ ...video, width: video.width + 2 })) };
    t.equal(
      manifests.write(kind, name, { ...input, bundle: changed }),
      write[kind](input),
      'it is not made anew',
    );
    for (const shape of [
      { ...input, captionsShown: 'c-de' },
      { ...input, bundle: { ...bundle, video: bundle.video.slice(1) } },
      { ...input, bundle: { ...bundle, audio: bundle.audio.toReversed() } },
      { ...input, bundle: { ...bundle, captions: bundle.captions?.toReversed() ?? [] } },
    ]) {
      t.equal(manifests.write(kind, name, shape), write[kind](shape), 'another shape is another');
      t.not(manifests.write(kind, name, shape), manifests.write(kind, name, input));
    }
    t.not(manifests.write(kind, fileNamed('another'), { ...input, bundle: changed }), write[kind](input));
  });
}
