import { hashText } from '../../../common/core/rendezvous.ts';
import { sizeClassOf } from './size-class.ts';

/**
 * Bundles and files by number, in typed arrays: a million files take some 50 MB and leave nothing to collect. A bundle's
 * entry for a file is a member; members of one bundle stand together, in the order in which they are filled.
 */
export interface PlacementCatalog {
  readonly bundleCount: number;
  readonly fileCount: number;
  /** By file: its size in bytes. */
  readonly fileBytes: Float64Array;
  /** By member: its file's class of sizes; see `sizeClassOf`. */
  readonly sizeClasses: Uint8Array;
  /** Bundle `b` has the members `starts[b]` to `starts[b + 1] - 1`. */
  readonly starts: Uint32Array;
  /** By member: its file, once in a bundle. */
  readonly memberFiles: Uint32Array;
  /** By member: its bundle. */
  readonly memberBundles: Uint32Array;
  /** File and bundle of member `m` side by side, at `2 * m` and `2 * m + 1`: for those who come to members without order. */
  readonly memberPairs: Uint32Array;
  /** File `f` is of the bundles `owners[ownerStarts[f]]` to `owners[ownerStarts[f + 1] - 1]`. */
  readonly ownerStarts: Uint32Array;
  readonly owners: Uint32Array;
  /** By bundle: 1 where a file of it is of another bundle too. */
  readonly isShared: Uint8Array;
  /** By bundle: the size of its files together. */
  readonly bundleBytes: Float64Array;
  /** By bundle: its largest file. */
  readonly largestFiles: Uint32Array;
  /** By member: 1 for what goes with each rendition: the bundle's own file, playlists, pictures. */
  readonly goesAlong: Uint8Array;
  /** Of bundle `b` the members `alongMembers[alongStarts[b]]` to `alongMembers[alongStarts[b + 1] - 1]` go along, in their order. */
  readonly alongStarts: Uint32Array;
  readonly alongMembers: Uint32Array;
  /** Files and sizes of these. */
  readonly alongFiles: Uint32Array;
  readonly alongBytes: Float64Array;
  /** By bundle: the two lanes of its name's hash. */
  readonly hashA: Uint32Array;
  readonly hashB: Uint32Array;
  /** By bundle: what counts before popularity; see `rank`. */
  readonly ranks: Uint8Array;
}

/** What counts before popularity: `urgent` is outside of the churn budget, `pinned` comes before everything as well. */
export const rank = { none: 0, urgent: 1, pinned: 2 } as const;

/** The parts of a catalog that the others follow from. */
export interface CatalogParts {
  /** In the order of their numbers. */
  readonly bundles: readonly { readonly bundle: string; readonly rank: number }[];
  readonly fileBytes: Float64Array;
  readonly starts: Uint32Array;
  readonly memberFiles: Uint32Array;
  /** None does where it is absent. */
  readonly goesAlong?: Uint8Array;
}

/** Completes a catalog. */
export function buildCatalog(parts: CatalogParts): PlacementCatalog {
  const { bundles, fileBytes, starts, memberFiles } = parts;
  const { goesAlong = new Uint8Array(memberFiles.length) } = parts;
  const bundleCount = bundles.length;
  const bundleBytes = new Float64Array(bundleCount);
  const hashA = new Uint32Array(bundleCount);
  const hashB = new Uint32Array(bundleCount);
  const memberBundles = new Uint32Array(memberFiles.length);
  const largestFiles = new Uint32Array(bundleCount);
  bundles.forEach(({ bundle }, number) => {
    const hash = hashText(bundle);
    hashA[number] = hash.a;
    hashB[number] = hash.b;
    let bytes = 0;
    let largest = memberFiles[starts[number] ?? 0] ?? 0;
    const end = starts[number + 1] ?? 0;
    for (let member = starts[number] ?? 0; member < end; member++) {
      const file = memberFiles[member] ?? 0;
      bytes += fileBytes[file] ?? 0;
      if ((fileBytes[file] ?? 0) > (fileBytes[largest] ?? 0)) largest = file;
      memberBundles[member] = number;
    }
    bundleBytes[number] = bytes;
    largestFiles[number] = largest;
  });
  const ranks = Uint8Array.from(bundles, (bundle) => bundle.rank);
  return {
    ...{ bundleCount, fileCount: fileBytes.length, fileBytes, starts, memberFiles, memberBundles },
    ...ownersOf({ bundleCount, fileCount: fileBytes.length, memberFiles, memberBundles }),
    ...{ bundleBytes, largestFiles, hashA, hashB, ranks },
    goesAlong,
    sizeClasses: Uint8Array.from(memberFiles, (file) => sizeClassOf(fileBytes[file] ?? 0)),
    memberPairs: pairsOf({ memberFiles, memberBundles }),
    ...alongOf(goesAlong, { bundleCount, memberBundles, memberFiles, fileBytes }),
  };
}

function pairsOf({
  memberFiles,
  memberBundles,
}: Pick<PlacementCatalog, 'memberFiles' | 'memberBundles'>): Uint32Array {
  const pairs = new Uint32Array(2 * memberFiles.length);
  memberFiles.forEach((file, member) => {
    pairs[2 * member] = file;
    pairs[2 * member + 1] = memberBundles[member] ?? 0;
  });
  return pairs;
}

function alongOf(
  goesAlong: Uint8Array,
  {
    bundleCount,
    memberBundles,
    memberFiles,
    fileBytes,
  }: Pick<PlacementCatalog, 'bundleCount' | 'memberBundles' | 'memberFiles' | 'fileBytes'>,
) {
  const alongStarts = new Uint32Array(bundleCount + 1);
  const along: number[] = [];
  goesAlong.forEach((goes, member) => {
    if (goes === 0) return;
    along.push(member);
    const next = (memberBundles[member] ?? 0) + 1;
    alongStarts[next] = (alongStarts[next] ?? 0) + 1;
  });
  for (let bundle = 0; bundle < bundleCount; bundle++)
    alongStarts[bundle + 1] = (alongStarts[bundle + 1] ?? 0) + (alongStarts[bundle] ?? 0);
  const alongMembers = Uint32Array.from(along);
  const alongFiles = alongMembers.map((member) => memberFiles[member] ?? 0);
  const alongBytes = Float64Array.from(alongFiles, (file) => fileBytes[file] ?? 0);
  return { alongStarts, alongMembers, alongFiles, alongBytes };
}

function ownersOf({
  bundleCount,
  fileCount,
  memberFiles,
  memberBundles,
}: Pick<PlacementCatalog, 'bundleCount' | 'fileCount' | 'memberFiles' | 'memberBundles'>) {
  const ownerStarts = new Uint32Array(fileCount + 1);
  for (const file of memberFiles) ownerStarts[file + 1] = (ownerStarts[file + 1] ?? 0) + 1;
  for (let file = 0; file < fileCount; file++)
    ownerStarts[file + 1] = (ownerStarts[file + 1] ?? 0) + (ownerStarts[file] ?? 0);
  const next = ownerStarts.slice(0, fileCount);
  const owners = new Uint32Array(memberFiles.length);
  memberFiles.forEach((file, member) => {
    const at = next[file] ?? 0;
    owners[at] = memberBundles[member] ?? 0;
    next[file] = at + 1;
  });
  const isShared = new Uint8Array(bundleCount);
  memberFiles.forEach((file, member) => {
    if ((ownerStarts[file + 1] ?? 0) - (ownerStarts[file] ?? 0) > 1) isShared[memberBundles[member] ?? 0] = 1;
  });
  return { ownerStarts, owners, isShared };
}

/** A bundle by names. */
export interface NamedBundle {
  readonly bundle: string;
  readonly pinned: boolean;
  readonly urgent?: boolean | undefined;
  readonly files: readonly NamedFile[];
}

/** A file by name; what has an extension that is no rendition's goes along with the renditions. */
export interface NamedFile {
  readonly file: string;
  readonly sizeBytes: number;
  readonly ext?: string | undefined;
}

const renditionExts: ReadonlySet<string | undefined> = new Set([undefined, 'mp4', 'm4a']);

/** A catalog with the names behind its numbers. */
export interface NamedCatalog<Bundle extends NamedBundle> {
  readonly catalog: PlacementCatalog;
  readonly bundles: readonly Bundle[];
  readonly files: readonly NamedFile[];
  readonly numbers: ReadonlyMap<string, number>;
}

/** Numbers bundles by the order of their names and files by their first bundle, whatever order they come in. */
export function internBundles<Bundle extends NamedBundle>(
  unordered: readonly Bundle[],
): NamedCatalog<Bundle> {
  const bundles = unordered.toSorted((a, b) => compareText(a.bundle, b.bundle));
  const numbers = new Map<string, number>();
  const files: NamedFile[] = [];
  const members: number[] = [];
  const starts = new Uint32Array(bundles.length + 1);
  bundles.forEach((bundle, number) => {
    const known = new Set<string>();
    for (const { file, sizeBytes, ext } of bundle.files) {
      if (known.has(file)) continue;
      known.add(file);
      let at = numbers.get(file);
      if (at === undefined) {
        at = files.length;
        numbers.set(file, at);
        files.push({ file, sizeBytes, ext });
      }
      members.push(at);
    }
    starts[number + 1] = members.length;
  });
  const catalog = buildCatalog({
    bundles: bundles.map((bundle) => ({ bundle: bundle.bundle, rank: rankOf(bundle) })),
    fileBytes: Float64Array.from(files, ({ sizeBytes }) => sizeBytes),
    starts,
    memberFiles: Uint32Array.from(members),
    goesAlong: alongMembersOf({ members, starts, files }),
  });
  return { catalog, bundles, files, numbers };
}

/** What goes along with renditions; of a bundle that has none, as of a picture in its sizes, the bundle's own file alone does. */
function alongMembersOf(of: {
  members: readonly number[];
  starts: Uint32Array;
  files: readonly NamedFile[];
}): Uint8Array {
  const { members, starts, files } = of;
  const goesAlong = new Uint8Array(members.length);
  const extOf = (member: number): string | undefined => files[members[member] ?? 0]?.ext;
  for (let bundle = 0; bundle + 1 < starts.length; bundle++) {
    const [from = 0, end = 0] = starts.subarray(bundle, bundle + 2);
    let hasRenditions = false;
    for (let member = from; member < end; member++) hasRenditions ||= renditionExts.has(extOf(member));
    for (let member = from; member < end; member++) {
      const ext = extOf(member);
      goesAlong[member] = Number(hasRenditions ? !renditionExts.has(ext) : ext === 'json');
    }
  }
  return goesAlong;
}

/** By code unit: the same on every machine, whatever its language. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function rankOf({ pinned, urgent }: NamedBundle): number {
  if (pinned) return rank.pinned;
  return urgent === true ? rank.urgent : rank.none;
}
