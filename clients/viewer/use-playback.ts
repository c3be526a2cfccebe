import { useEffect, useRef, type RefObject } from 'react';

import type { PlaybackSession } from '../../common/contract/playback.ts';
import type { Engine } from './engines/engine.ts';
import { createEventReporter, type EventReporter } from './event-reporter.ts';
import { playbackSlice, type EngineKind, type PlaybackNews } from './playback-slice.ts';
import { PlayerEvents } from './player-events.ts';
import { store } from './store.ts';
import type { TrackChoice } from './track-choice.ts';
import { watchVideo } from './watch-video.ts';

const { news, started } = playbackSlice.actions;

/** Plays a session in a video element for as long as both are shown. */
export function usePlaybackEngine(
  video: RefObject<HTMLVideoElement | null>,
  session: PlaybackSession | undefined,
  options: { engine: EngineKind; bufferS: number; choice: TrackChoice },
): void {
  const { engine, bufferS, choice } = options;
  const playing = useRef<Engine>(undefined);
  const chosen = useRef(choice);
  useEffect(() => {
    chosen.current = choice;
    playing.current?.choose(choice);
  }, [choice]);
  const lastSession = useRef<string>(undefined);
  useEffect(() => {
    const element = video.current;
    if (element === null || session === undefined) return;
    // The other library goes on where this one was.
    const { positionMs, ended } = store.getState().playback;
    const startS = lastSession.current === session.sessionId && !ended ? positionMs / 1000 : 0;
    lastSession.current = session.sessionId;
    store.dispatch(started(engine));
    const reporter = createEventReporter({
      url: '/v1/events',
      token: session.eventsToken,
      onDelivery: (isDelivered) => {
        const text = isDelivered ? 'reports get through again' : 'reports do not get through: they wait';
        tell({ kind: 'log', about: 'state', text });
      },
    });
    const tell = createTeller(session, reporter);
    const unwatch = watchVideo(element, tell);
    // Whoever leaves makes room for another stream of the account.
    const leave = () => {
      reporter.report({
        type: 'end',
        positionMs: Math.max(0, Math.round(store.getState().playback.positionMs)),
      });
      void reporter.flush();
    };
    window.addEventListener('pagehide', leave);
    let isGone = false;
    load(engine).then(
      (start) => {
        if (isGone) return;
        playing.current = start({ video: element, session, bufferS, startS, tell, choice: chosen.current });
      },
      () => {
        tell({ kind: 'fatal', text: 'the player could not be loaded' });
      },
    );
    return () => {
      isGone = true;
      unwatch();
      playing.current?.stop();
      playing.current = undefined;
      window.removeEventListener('pagehide', leave);
      leave();
      void reporter.stop();
    };
  }, [video, session, engine, bufferS]);
}

async function load(engine: EngineKind) {
  return engine === 'hls'
    ? (await import('./engines/hls.ts')).startHls
    : (await import('./engines/dash.ts')).startDash;
}

/** Tells the page, and the control plane what is of use to it. */
function createTeller(session: PlaybackSession, reporter: EventReporter): (item: PlaybackNews) => void {
  const events = new PlayerEvents(session, () => performance.now());
  return (item) => {
    const before = store.getState().playback;
    store.dispatch(news({ ...item, timeMs: Date.now() }));
    const event = events.of(item, before, store.getState().playback);
    if (event !== undefined) reporter.report(event);
  };
}
