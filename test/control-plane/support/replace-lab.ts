import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Test } from 'tap';
import type { TitleView } from '../../../common/contract/titles.ts';
import { contentKey } from '../../../common/core/file-keys.ts';
import { createManualClock } from '../../../common/runtime/manual-clock.ts';
import type { WantingCluster } from '../../../control-plane/core/title-live.ts';
import type { CatalogBundle } from '../../../control-plane/services/catalog/ports.ts';
import { call, type Answer } from './call.ts';
import { openCatalogLab, type CatalogLab } from './catalog-lab.ts';
import { asRole } from './fake-credentials.ts';
import { publishSampleBundle } from './publish-bundle.ts';

const headers = asRole('operator');
const externalIds = ['id:1'];

/** A video, as it was published. */
export interface Made {
  readonly name: string;
  readonly files: readonly string[];
}

/** A title whose video is replaced. */
export interface ReplaceLab extends CatalogLab {
  readonly id: string;
  readonly clock: ReturnType<typeof createManualClock>;
  view(): TitleView;
  /** Imports the title anew of another file. */
  retake(mark: string, again?: string, more?: object): Promise<Answer>;
  /** Leases the job and completes it with a video of its own. */
  encode(what: string): Promise<Made>;
  fail(): Promise<void>;
  /** Which video a new session plays, where. */
  plays(site?: string): Promise<string>;
  bundles(): string[];
  stored(made: Made): Promise<boolean[]>;
  /** The same in another process. */
  again(): Promise<ReplaceLab>;
}

/** Where copies of which bundle stand; what boxes are wanted to hold is one copy at each of two sites. */
export type Standing = Map<string, readonly string[]>;

const wanting: readonly WantingCluster[] = [
  { cluster: 'a', site: 'isp-a', copies: 1 },
  { cluster: 'b', site: 'isp-b', copies: 1 },
];

function controlled(lab: CatalogLab, standing: Standing): void {
  lab.fleet.appliancesExist = () => true;
  lab.fleet.clustersWanting = () => wanting;
  lab.fleet.holdersOf = ({ bundle }: CatalogBundle) => [
    { id: 'origin', role: 'origin', cluster: 'origin' },
    ...(standing.get(bundle) ?? []).map((cluster) => ({
      id: `box-${cluster}`,
      role: 'appliance' as const,
      cluster,
    })),
  ];
}

/** Publishes a video of this name: its bundle is its own, the rest is what all have. */
export async function makeVideo({ blobs }: CatalogLab, what: string): Promise<Made> {
  const { name, bundle } = await publishSampleBundle(blobs, (sample) => {
    sample.durationMs += what.length + (what.codePointAt(0) ?? 0);
  });
  return { name, files: [name, ...bundle.files.map(({ file }) => file)] };
}

async function reopened(
  lab: CatalogLab,
  of: { id: string; root: string; clock: ReturnType<typeof createManualClock>; standing: Standing; t: Test },
): Promise<ReplaceLab> {
  const { id, root, clock, standing } = of;
  controlled(lab, standing);
  const { catalog, blobs } = lab;
  const lease = async () => {
    await catalog.settled();
    const job = await catalog.jobs.lease('encoder', { waitMs: 0 });
    if (job === undefined) throw new Error('no job');
    return { by: { jobId: job.jobId, worker: 'encoder' }, leaseId: job.leaseId };
  };
  return {
    ...{ ...lab, id, clock },
    view: () => catalog.title(id),
    async retake(mark, again = 'replaced', more = {}) {
      // What changes while it is read has failed.
      await catalog.settled();
      await writeFile(join(root, 'film.mp4'), `a film: ${mark}`);
      const entry = { name: 'Film', externalIds, path: join(root, 'film.mp4'), videoMark: mark, ...more };
      const json = { entries: [{ line: 1, entry }], again: [again] };
      return await call(`${lab.url}/v1/titles/import`, { json, headers });
    },
    async encode(what) {
      const { by, leaseId } = await lease();
      const made = await makeVideo(lab, what);
      await catalog.jobs.complete(by, { leaseId, bundle: made.name });
      await catalog.settled();
      return made;
    },
    async fail() {
      const { by, leaseId } = await lease();
      await catalog.jobs.fail(by, { leaseId, code: 'SOURCE_NOT_VIDEO', detail: 'no film', final: true });
      await catalog.settled();
    },
    plays: async (site) => (await catalog.playable(id, { site })).bundleName,
    bundles: () => catalog.bundles().map(({ bundle }) => bundle),
    stored: async ({ files }) =>
      await Promise.all(files.map(async (file) => (await blobs.stat(contentKey(file))) !== undefined)),
    async again() {
      await lab.close();
      const next = await openCatalogLab(of.t, {
        ...{ directory: lab.directory, clock, still: true, options: { ingestRoots: [root] } },
      });
      return await reopened(next, of);
    },
  };
}

/** A title on the air at both sites with its first video. */
export async function onAir(t: Test): Promise<{ lab: ReplaceLab; first: Made; standing: Standing }> {
  const root = t.testdir({ 'film.mp4': 'a film: first' });
  const clock = createManualClock();
  const opened = await openCatalogLab(t, { clock, still: true, options: { ingestRoots: [root] } });
  const { id } = await opened.catalog.createTitle({
    ...{ name: 'Film', path: join(root, 'film.mp4'), details: { externalIds } },
  });
  const standing: Standing = new Map();
  const lab = await reopened(opened, { id, root, clock, standing, t });
  // Of titles of before it is not known what they were made of: the first import says so.
  await lab.retake('first');
  const first = await lab.encode('first');
  standing.set(first.name, ['a', 'b']);
  await lab.catalog.review();
  return { lab, first, standing };
}
