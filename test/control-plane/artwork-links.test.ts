import t from 'tap';

import type { DeliveryClaims } from '../../common/core/tokens/delivery-token.ts';
import { createManualClock } from '../../common/runtime/manual-clock.ts';
import { createArtworkLinks, type ArtworkLinksOptions } from '../../control-plane/artwork-links.ts';
import type { MadeArtwork } from '../../control-plane/services/catalog/artwork.ts';
import { fileNamed } from './support/sample-bundle.ts';

type Node = ReturnType<ArtworkLinksOptions['nodes']>[number];

const halfDayMs = 43_200_000;

function artworkOf(name: string): MadeArtwork {
  const file = fileNamed(`${name} 160`);
  const sizes = [160, 320, 640, 1280].flatMap((width) =>
    (['jpg', 'webp'] as const).map((ext) => ({
      ...{ file: width === 160 && ext === 'jpg' ? file : fileNamed(`${name} ${width}.${ext}`) },
      ...{ ext, sizeBytes: 1000, width, height: width * 1.5 },
    })),
  );
  return { kind: 'poster', bundle: { bundle: fileNamed(name), sizeBytes: 100, files: sizes } };
}

function filesOf({ bundle }: MadeArtwork): Set<string> {
  return new Set([bundle.bundle, ...bundle.files.map(({ file }) => file)]);
}

function nodeOf(id: string, site: string, held: ReadonlySet<string>): Node {
  return { id, role: 'appliance', site, state: 'ready', url: `https://${id}.test/`, held };
}

const origin: Node = { ...nodeOf('origin', 'origin', new Set()), role: 'origin' };

function makeLinks(artwork: readonly MadeArtwork[], nodes: readonly Node[]) {
  const clock = createManualClock();
  const minted: DeliveryClaims[] = [];
  const links = createArtworkLinks({
    artwork: { picked: (titleId) => (titleId === 'none' ? [] : [...artwork]) },
    nodes: () => nodes,
    siteOf: (client) => (client === '192.0.2.1' ? 'isp-a' : undefined),
    mintToken: (claims) => `token${String(minted.push(claims))}`,
    clock,
  });
  return { links: (client = '192.0.2.1') => links({ client, languages: [] })('title'), clock, minted };
}

t.test(
  'the box of the viewer’s site that holds all of a picture shows it, always the same one',
  async (t) => {
    const poster = artworkOf('poster');
    const held = filesOf(poster);
    const some = new Set([...held].slice(0, 5));
    const nodes = [
      ...[origin, nodeOf('far', 'isp-b', held), nodeOf('half', 'isp-a', some)],
      ...[{ ...nodeOf('drains', 'isp-a', held), state: 'draining' as const }, nodeOf('one', 'isp-a', held)],
      nodeOf('two', 'isp-a', held),
    ];
    const { links } = makeLinks([poster], nodes);
    const [first] = links();
    t.match(first?.url, /^https:\/\/(one|two)\.test\/v1\/token1\/[0-9a-f]{64}\.jpg$/);
    for (let time = 0; time < 5; time++) t.same(links(), [first]);
    t.match(makeLinks([poster], nodes.toReversed()).links()[0]?.url, first?.url ?? '');
    t.match(links('198.51.100.1')[0]?.url, /^https:\/\/origin\.test/, 'where no site is known');
    t.match(makeLinks([poster], [nodeOf('far', 'isp-b', held)]).links()[0]?.url, /^https:\/\/far/);
    t.same(makeLinks([poster], [nodeOf('half', 'isp-a', some)]).links(), [], 'nobody has it');
  },
);

t.test('links are whole in themselves: sizes by names beside one that everything shows', async (t) => {
  const [poster] = makeLinks([artworkOf('poster')], [origin]).links();
  t.match(poster, { kind: 'poster', width: 1280, height: 1920, sizes: { length: 8 } });
  t.match(poster?.sizes[0], { name: /^[0-9a-f]{64}\.jpg$/, type: 'image/jpeg', width: 160, height: 240 });
  t.match(poster?.url, new RegExp(`${fileNamed('poster 640.jpg')}\\.jpg$`), 'of a size that suits most');
});

t.test('a token is of one picture, for all viewers, and good for half a day at least', async (t) => {
  const { links, clock, minted } = makeLinks([artworkOf('one'), artworkOf('two')], [origin]);
  links();
  links('198.51.100.1');
  t.equal(minted.length, 2);
  const [one, two] = minted;
  t.match(one, { scope: 'picture', bundle: fileNamed('one') });
  t.not(one?.session, two?.session);
  for (const { issuedAtS = 0, expiresAtS = 0 } of minted) {
    t.equal(expiresAtS - issuedAtS, 86_400);
    t.ok(issuedAtS * 1000 <= clock.nowMs() && expiresAtS * 1000 - clock.nowMs() >= halfDayMs);
  }
  await clock.advance(halfDayMs);
  links();
  t.equal(minted.length, 4);
  t.equal((minted[2]?.issuedAtS ?? 0) - (one?.issuedAtS ?? 0), halfDayMs / 1000);
});

t.test('links of a hundred thousand titles with two pictures each stay the same', async (t) => {
  const poster = artworkOf('one of many');
  let minted = 0;
  const links = createArtworkLinks({
    artwork: {
      picked: (id) =>
        ['poster', 'still'].map((kind) => ({
          ...{ kind: kind as 'poster' | 'still' },
          bundle: { ...poster.bundle, bundle: `${id.padStart(40, '0')}${kind === 'poster' ? 'a' : 'b'}` },
        })),
    },
    nodes: () => [origin],
    siteOf: () => undefined,
    mintToken: () => `token${String(minted++)}`,
    clock: createManualClock(),
  });
  for (let pages = 0; pages < 2; pages++) {
    const picturesOf = links({ client: '192.0.2.1', languages: [] });
    for (let title = 0; title < 100_000; title++) picturesOf(String(title));
    t.equal(minted, 200_000);
  }
});
