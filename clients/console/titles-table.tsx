import type { TitlePicture } from '../../common/contract/artwork.ts';
import type { TitleView } from '../../common/contract/titles.ts';
import { formatBytes, formatPosition, formatShare } from '../shared/format.ts';
import { Picture } from '../shared/picture.tsx';
import { Table, type Column } from './table.tsx';

const marks: Record<TitleView['state'], string> = {
  live: 'good',
  filling: 'warn',
  encoding: 'warn',
  queued: 'warn',
  failed: 'bad',
  withdrawn: 'bad',
};

const columns: readonly Column<TitleView>[] = [
  { name: 'title', cell: (title) => <span className="words">{title.name}</span> },
  { name: 'picture', cell: ({ name, artwork: [picture] = [] }) => <Thumbnail of={picture} title={name} /> },
  { name: 'state', cell: (title) => <State title={title} /> },
  {
    name: 'length',
    isNumber: true,
    cell: ({ durationMs }) => (durationMs === undefined ? '–' : formatPosition(durationMs)),
  },
  {
    name: 'size',
    isNumber: true,
    cell: ({ sizeBytes }) => (sizeBytes === undefined ? '–' : formatBytes(sizeBytes)),
  },
  { name: 'renditions', cell: ({ renditions }) => renditions.join(' ') || '–' },
  { name: 'held by', cell: ({ holders }) => <span className="words">{holders.join(', ') || '–'}</span> },
  { name: 'popularity', isNumber: true, cell: ({ popularity }) => popularity.toFixed(2) },
];

function Thumbnail({ of, title }: { of: TitlePicture | undefined; title: string }) {
  if (of === undefined) return <span className="dim">–</span>;
  return <Picture of={of} alt={`${of.kind} of ${title}`} width={of.height > of.width ? 40 : 80} />;
}

function State({ title }: { title: TitleView }) {
  return (
    <span className="words">
      <span className={`mark ${marks[title.state]}`}>{title.state}</span>{' '}
      <span className="dim">{detailOf(title)}</span>
    </span>
  );
}

function detailOf({ error, state, progress, stage, pinned, replacement }: TitleView): string {
  if (replacement?.error !== undefined)
    return `its new video failed: ${replacement.error.code}: ${replacement.error.detail}`;
  if (replacement !== undefined)
    return `its new video: ${replacement.state} ${formatShare(replacement.progress, 1)} ${replacement.stage}`;
  if (error !== undefined) return `${error.code}: ${error.detail}`;
  if (state === 'encoding' || state === 'filling') return `${formatShare(progress, 1)} ${stage}`;
  return pinned ? 'pinned' : '';
}

/** Every title on its way from source to live. */
export function TitlesTable({ titles }: { titles: readonly TitleView[] }) {
  if (titles.length === 0) {
    return (
      <p className="dim">
        No titles yet: <code>nearcast title add FILE</code> adds one.
      </p>
    );
  }
  return <Table label="Titles" columns={columns} rows={titles} keyOf={({ id }) => id} />;
}
