import { createHash } from 'node:crypto';
import type { TitlePicture } from '../common/contract/artwork.ts';
import { growingCache } from '../common/core/growing-cache.ts';
import { mediaTypeOf } from '../common/core/media-types.ts';
import { hashText, rendezvousScore } from '../common/core/rendezvous.ts';
import type { DeliveryClaims } from '../common/core/tokens/delivery-token.ts';
import type { Clock } from '../common/runtime/clock.ts';
import { fileUrl } from './core/playback-manifest.ts';
import type { ArtworkLinks } from './services/catalog/artwork-routes.ts';
import type { Artwork, MadeArtwork } from './services/catalog/artwork.ts';
import type { ServingNode } from './services/registry/serving-node.ts';

export interface ArtworkLinksOptions {
  readonly artwork: Pick<Artwork, 'picked'>;
  readonly nodes: () => readonly LinkedNode[];
  /** At whose site a client is; undefined where no route tells. */
  readonly siteOf: (client: string) => string | undefined;
  readonly mintToken: (claims: DeliveryClaims) => string;
  readonly clock: Clock;
}

type LinkedNode = Pick<ServingNode, 'id' | 'role' | 'site' | 'state' | 'url' | 'held'>;
type ReadyNode = LinkedNode & { readonly url: string };

// ADR 32: a token is good for a day and handed out for the first half of it, so that links stay the same for half a day.
const tokenLifeS = 86_400;
const periodS = tokenLifeS / 2;
// A token that is signed once more is another link, which browsers fetch anew: as many as a hundred thousand titles have of two kinds, and more.
const tokensKept = 250_000;
/** The largest that is shown by those who choose none themselves. */
const plainWidth = 640;

/**
 * Makes links to pictures. One picture has one token for all viewers and, at a site, one box: of those that hold it the first by
 * rendezvous, else an origin, which has everything. So a browser that has fetched a picture finds it in its cache on the next page.
 */
export function createArtworkLinks(options: ArtworkLinksOptions): ArtworkLinks {
  const { artwork, nodes, siteOf, clock } = options;
  const tokens = growingCache<string, { readonly token: string; readonly startS: number }>(tokensKept);
  const tokenOf = (bundle: string): string => {
    const startS = periodStartS(bundle, clock.nowMs() / 1000);
    const known = tokens.get(bundle);
    if (known?.startS === startS) return known.token;
    const token = options.mintToken({
      ...{ scope: 'picture', bundle, session: nobodysSession(bundle, startS) },
      ...{ issuedAtS: startS, expiresAtS: startS + tokenLifeS },
    });
    tokens.set(bundle, { token, startS });
    return token;
  };
  return ({ client, ...wish }) => {
    const site = siteOf(client);
    const ready = nodes().filter(isReady);
    const origins = ready.filter(({ role }) => role === 'origin');
    const near = ready.filter((node) => node.role === 'appliance' && node.site === site);
    const far = ready.filter((node) => node.role === 'appliance' && node.site !== site);
    return (titleId) =>
      artwork.picked(titleId, wish).flatMap((picture) => {
        const node = holderOf(picture, [near, origins, far]);
        return node === undefined ? [] : [pictureOf(picture, node.url, tokenOf(picture.bundle.bundle))];
      });
  };
}

function isReady(node: LinkedNode): node is ReadyNode {
  return node.state === 'ready' && node.url !== undefined;
}

/** Who shows a picture: the first group in which somebody holds all of it decides. */
function holderOf({ bundle }: MadeArtwork, groups: readonly (readonly ReadyNode[])[]): ReadyNode | undefined {
  const names = [bundle.bundle, ...bundle.files.map(({ file }) => file)];
  const holds = ({ role, held }: ReadyNode): boolean =>
    role === 'origin' || names.every((file) => held.has(file));
  for (const group of groups) {
    const holders = group.filter(holds);
    if (holders.length > 0) return firstOf(holders, bundle.bundle);
  }
  return undefined;
}

function firstOf(holders: readonly ReadyNode[], bundle: string): ReadyNode | undefined {
  const key = hashText(bundle);
  const score = ({ id }: ReadyNode): number => rendezvousScore({ hash: hashText(id), weight: 1 }, key);
  return holders.toSorted((a, b) => score(b) - score(a))[0];
}

function pictureOf({ kind, language, bundle }: MadeArtwork, url: string, token: string): TitlePicture {
  const { files } = bundle;
  const everywhere = files.filter(({ ext }) => ext === 'jpg' || ext === 'png');
  const plain = everywhere.findLast(({ width }) => width <= plainWidth) ?? everywhere[0] ?? files[0];
  const largest = files.at(-1);
  return {
    kind,
    ...(language !== undefined && { language }),
    ...{ width: largest?.width ?? 1, height: largest?.height ?? 1 },
    url: plain === undefined ? '' : fileUrl({ url }, token, plain),
    sizes: files.map(({ file, ext, width, height }) => ({
      ...{ name: `${file}.${ext}`, type: mediaTypeOf(ext), width, height },
    })),
  };
}

/** When the half day began that a bundle's links are made for; each bundle's begins at another time, so that not all change at once. */
function periodStartS(bundle: string, nowS: number): number {
  const offsetS = Number.parseInt(bundle.slice(0, 8), 16) % periodS;
  return Math.floor((nowS - offsetS) / periodS) * periodS + offsetS;
}

function nobodysSession(bundle: string, startS: number): string {
  return createHash('sha256').update(`picture ${bundle} ${startS}`).digest('hex').slice(0, 32);
}
