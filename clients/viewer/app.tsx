import { useEffect, useMemo, useRef, useState } from 'react';

import {
  hasToken,
  useChangeProfileMutation,
  useStartPlaybackMutation,
  useTitleQuery,
} from '../shared/api.ts';
import { explainFailure } from '../shared/failure.ts';
import { Picture } from '../shared/picture.tsx';
import { PageHeader } from '../shared/page-header.tsx';
import { deviceCapabilities } from './device-capabilities.ts';
import { LogPanel, NowPanel, PathwaysPanel } from './panels.tsx';
import type { EngineKind } from './playback-slice.ts';
import { usePlayback } from './store.ts';
import { choiceOf, wishOf, type TrackChoice } from './track-choice.ts';
import { TracksMenu } from './tracks-menu.tsx';
import { usePlaybackEngine } from './use-playback.ts';

const engines: readonly { kind: EngineKind; label: string }[] = [
  { kind: 'hls', label: 'HLS · hls.js' },
  { kind: 'dash', label: 'DASH · Shaka' },
];
const query = new URLSearchParams(window.location.search);
const titleId = query.get('title') ?? undefined;
const profileId = query.get('profile') ?? undefined;
const nothingChosen: TrackChoice = { audio: undefined, captions: undefined };
// A short buffer shows a failover within seconds; `?buffer=30` plays like a living-room player.
const bufferS = Math.min(120, Math.max(4, Number(query.get('buffer') ?? 6) || 6));

/** The player page: a video, what serves it, and why. */
export function App() {
  const video = useRef<HTMLVideoElement>(null);
  const [engine, setEngine] = useState<EngineKind>(query.get('engine') === 'dash' ? 'dash' : 'hls');
  const [start, { data: session, error }] = useStartPlaybackMutation();
  const fatal = usePlayback((playback) => playback.fatal);
  const ended = usePlayback((playback) => playback.ended);
  const stallMs = usePlayback((playback) => Math.round(playback.stallMs));
  const { data: title } = useTitleQuery(titleId ?? '', { skip: titleId === undefined || !hasToken });
  const [poster, backdrop] = (['poster', 'backdrop'] as const).map((kind) =>
    title?.artwork?.find((one) => one.kind === kind),
  );
  const [saveChoice, { error: unsaved }] = useChangeProfileMutation();
  const [changed, setChanged] = useState<{ of: string; choice: TrackChoice }>();
  // What is told of a session holds until somebody chooses otherwise; of the next one it holds again.
  const started = useMemo(() => (session === undefined ? nothingChosen : choiceOf(session)), [session]);
  const choice = changed !== undefined && changed.of === session?.sessionId ? changed.choice : started;
  const begin = () => {
    if (titleId === undefined || !hasToken) return;
    const capabilities = deviceCapabilities();
    void start({ titleId, capabilities, ...(profileId !== undefined && { profileId }) });
  };
  useEffect(begin, [start]);
  usePlaybackEngine(video, session, { engine, bufferS, choice });
  useEffect(() => {
    document.title = session === undefined ? 'Nearcast player' : `${session.name} · Nearcast`;
  }, [session]);
  return (
    <>
      <PageHeader title={session?.name ?? 'player'}>
        {session !== undefined && <EngineChoice engine={engine} onChoose={setEngine} />}
      </PageHeader>
      <main className="player" data-ended={ended} data-fatal={fatal} data-stall-ms={stallMs}>
        {session === undefined ? (
          <Beginning error={error} onRetry={begin} />
        ) : (
          <>
            <div>
              <video
                key={engine}
                ref={video}
                aria-label={session.name}
                poster={backdrop?.url ?? session.posterUrl}
                {...{ controls: true, autoPlay: true, muted: true, playsInline: true }}
              />
              <TracksMenu
                {...{ session, choice }}
                onChoose={(next) => {
                  setChanged({ of: session.sessionId, choice: next });
                  const wish = wishOf(session, { before: choice, next });
                  if (profileId !== undefined && wish !== undefined)
                    void saveChoice({ id: profileId, ...wish });
                }}
              />
              {unsaved !== undefined && <Unsaved error={unsaved} />}
              {fatal !== undefined && <Stopped text={`Playback has ended: ${fatal}.`} onRetry={begin} />}
              <NowPanel session={session} />
            </div>
            <aside aria-label="Delivery">
              <PathwaysPanel session={session} />
              <LogPanel />
              {poster !== undefined && <Picture of={poster} alt={`Poster of ${session.name}`} width={120} />}
            </aside>
          </>
        )}
      </main>
    </>
  );
}

function EngineChoice({ engine, onChoose }: { engine: EngineKind; onChoose: (engine: EngineKind) => void }) {
  return (
    <div role="group" aria-label="Player">
      {engines.map(({ kind, label }) => (
        <button
          key={kind}
          type="button"
          aria-pressed={kind === engine}
          onClick={() => {
            onChoose(kind);
          }}
        >
          {label}
        </button>
      ))}
    </div>
  );
}

/** What is seen before there is a session, and where there will be none. */
function Beginning({ error, onRetry }: { error: unknown; onRetry: () => void }) {
  if (titleId !== undefined && hasToken && error === undefined)
    return <p className="message dim">Asking for the title …</p>;
  const failure =
    titleId === undefined
      ? { kind: 'refused' as const, text: 'The address names no title.' }
      : explainFailure(error, { hasToken });
  if (failure.kind === 'unreachable') return <Stopped text={failure.text} onRetry={onRetry} />;
  return (
    <div className="panel message error" role="alert">
      <p>{failure.text}</p>
      <p className="advice">
        <code>nearcast title list</code> shows the titles, <code>nearcast play TITLE</code> prints a link to
        one.
      </p>
    </div>
  );
}

function Unsaved({ error }: { error: unknown }) {
  return (
    <p className="advice" role="status">
      This choice holds for this playback alone. {explainFailure(error, { hasToken }).text}
    </p>
  );
}

function Stopped({ text, onRetry }: { text: string; onRetry: () => void }) {
  return (
    <div className="panel message error" role="alert">
      <p>{text}</p>
      <button type="button" onClick={onRetry}>
        Try again
      </button>
    </div>
  );
}
