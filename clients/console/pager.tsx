import { formatCount } from '../shared/format.ts';

interface PagerProps {
  /** Where the pages before this one, and this one, begin; empty on the first. */
  readonly cursors: readonly string[];
  /** Where the page behind this one begins, where there is one. */
  readonly next: string | undefined;
  readonly pageLength: number;
  /** How many this page has. */
  readonly shown: number;
  readonly onTurn: (cursors: readonly string[]) => void;
}

/** Turns the pages of a list that is longer than one. */
export function Pager({ cursors, next, pageLength, shown, onTurn }: PagerProps) {
  if (cursors.length === 0 && next === undefined) return undefined;
  const before = cursors.length * pageLength;
  return (
    <nav className="pager" aria-label="Pages">
      <button type="button" disabled={cursors.length === 0} onClick={() => onTurn(cursors.slice(0, -1))}>
        Earlier
      </button>
      <span className="dim">{`${formatCount(before + 1)} to ${formatCount(before + shown)}`}</span>
      <button
        type="button"
        disabled={next === undefined}
        onClick={() => onTurn(next === undefined ? cursors : [...cursors, next])}
      >
        Later
      </button>
    </nav>
  );
}
