import t from 'tap';
import type { PlaybackSession } from '../../../../common/contract/playback.ts';
import { call } from '../../support/call.ts';
import { create, openLab, titleId } from '../../support/playback-lab.ts';
import { hdrBundle } from '../../support/sample-bundle.ts';

t.test('HDR is in a session that asks for it; key systems are heard and leave nothing out', async (t) => {
  const plain = await openLab(t);
  const lab = await openLab(t, { film: hdrBundle() });
  // One way, so that every session has the same.
  for (const { holders } of [plain, lab]) holders.splice(1);
  const sdr = ['v1080', 'v720', 'v360'];
  const shown = async (body: object, from = lab) => {
    const session = (await create(from, { titleId, ...body })).body as unknown as PlaybackSession;
    const manifests = [session.hlsUrl, session.dashUrl].map(async (url) => (await call(url)).text);
    // What is of the session alone is not what is compared.
    const own = new RegExp(`${session.sessionId}|/v1/[^/"<]+/`, 'g');
    const texts = (await Promise.all(manifests)).map((text) => text.replace(own, ''));
    return { renditions: session.renditions, texts };
  };
  const before = await shown({}, plain);
  for (const body of [{}, { capabilities: {} }, { capabilities: { hdr: [], drm: ['com.widevine.alpha'] } }])
    t.strictSame(await shown(body), before, 'as of a film that has none');
  const bright = await shown({
    capabilities: { hdr: ['pq', 'hlg'], drm: ['com.apple.fps', 'urn:uuid:edef8ba9'] },
  });
  t.strictSame(bright.renditions, [...sdr, 'v1080-pq', 'v720-pq']);
  t.match(bright.texts[0], 'VIDEO-RANGE=PQ');
  t.match(bright.texts[1], 'urn:mpeg:mpegB:cicp:TransferCharacteristics');
  for (const capabilities of [{ hdr: ['sdr+'] }, { hdr: 'pq' }, { drm: ['"'] }, { drm: Array(17).fill('x') }])
    t.match(await create(lab, { titleId, capabilities }), { status: 400 });
});
