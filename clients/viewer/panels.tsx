import type { PlaybackSession } from '../../common/contract/playback.ts';
import { Facts } from '../shared/facts.tsx';
import { formatBitrate, formatBytes, formatClock, formatPosition } from '../shared/format.ts';
import type { PlaybackState } from './playback-slice.ts';
import { usePlayback } from './store.ts';

/** What plays now: appliance, rendition, buffer, throughput, stalls. */
export function NowPanel({ session }: { session: PlaybackSession }) {
  const state = usePlayback((playback) => playback);
  // Until a segment has come, a player's throughput is its assumption.
  const isMeasured = state.servedBy !== undefined && state.throughputBps > 0;
  return (
    <section className="panel" aria-label="Now">
      <Facts
        facts={[
          ['served by', state.servedBy ?? '–'],
          ['rendition', state.rendition ?? '–'],
          ['throughput', isMeasured ? formatBitrate(state.throughputBps) : '–'],
          ['position', `${formatPosition(state.positionMs)} of ${formatPosition(session.durationMs)}`],
          ['buffer', `${state.bufferS.toFixed(1)} s`],
          ['stalls', stallsText(state)],
        ]}
      />
    </section>
  );
}

function stallsText({ stalls, stallMs }: PlaybackState): string {
  return stalls === 0 ? 'none' : `${stalls}, ${Math.round(stallMs)} ms in all`;
}

/** The session's ways, best first as ranked at its start, and what came over each. */
export function PathwaysPanel({ session }: { session: PlaybackSession }) {
  const servedBy = usePlayback(({ servedBy }) => servedBy);
  const bytesBy = usePlayback(({ bytesByPathway }) => bytesByPathway);
  const total = Object.values(bytesBy).reduce((sum, bytes) => sum + bytes, 0);
  const known = session.pathways.map(({ id, role, site }) => ({
    id,
    where: role === 'origin' ? 'origin' : site,
  }));
  const others = Object.keys(bytesBy).filter((id) => known.every((pathway) => pathway.id !== id));
  return (
    <section className="panel" aria-labelledby="pathways">
      <h2 id="pathways">Pathways</h2>
      <ul className="pathways">
        {[...known, ...others.map((id) => ({ id, where: 'not of this session' }))].map(({ id, where }) => {
          const bytes = bytesBy[id] ?? 0;
          return (
            <li key={id} aria-current={servedBy === id ? 'true' : undefined}>
              <span className={`mark name ${servedBy === id ? 'good' : ''}`}>{id}</span>
              <span className="dim">{where === id ? '' : where}</span>
              <span className="num">{formatBytes(bytes)}</span>
              <span className="bar" aria-hidden="true">
                <i style={{ width: `${total === 0 ? 0 : (100 * bytes) / total}%` }} />
              </span>
            </li>
          );
        })}
      </ul>
      {session.rankedBy === 'fallback' && (
        <p className="dim">Steering could not be reached: the order is that of the control plane.</p>
      )}
    </section>
  );
}

/** Every steering event, change of pathway or rendition, stall and error as it happens, newest first. */
export function LogPanel() {
  const log = usePlayback((playback) => playback.log);
  const servedBy = usePlayback((playback) => playback.servedBy);
  return (
    <section className="panel log" aria-labelledby="events">
      <h2 id="events">Events</h2>
      {log.length === 0 && <p className="dim">Nothing has happened yet.</p>}
      {/* Read aloud line by line it would drown the film: a change of pathway alone is announced, below. */}
      <div role="log" aria-live="off" aria-labelledby="events" tabIndex={0}>
        <ol>
          {log.toReversed().map((entry) => (
            <li key={entry.key} data-kind={entry.kind}>
              <time dateTime={new Date(entry.timeMs).toISOString()}>
                {formatClock(entry.timeMs, { tenths: true })}
              </time>
              <b>{entry.kind}</b>
              <span>
                {entry.text}
                {entry.count > 1 && <span className="dim"> ×{entry.count}</span>}
              </span>
            </li>
          ))}
        </ol>
      </div>
      <p className="unseen" role="status">
        {servedBy === undefined ? '' : `Served by ${servedBy}`}
      </p>
    </section>
  );
}
