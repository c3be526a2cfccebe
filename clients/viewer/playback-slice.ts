import { createSlice, type PayloadAction } from '@reduxjs/toolkit';

/** Which player library plays. */
export type EngineKind = 'hls' | 'dash';

/** Something that happened to the playback. */
export interface PlaybackLogEntry {
  readonly key: number;
  readonly timeMs: number;
  readonly kind: 'steering' | 'pathway' | 'rendition' | 'error' | 'stall' | 'state';
  readonly text: string;
  /** How often in a row. */
  readonly count: number;
}

/** What the page shows of a playback. */
export interface PlaybackState {
  engine: EngineKind;
  /** The appliance that sent the last segment. */
  servedBy: string | undefined;
  rendition: string | undefined;
  bufferS: number;
  throughputBps: number;
  positionMs: number;
  bytesByPathway: Record<string, number>;
  stalls: number;
  stallMs: number;
  fatal: string | undefined;
  ended: boolean;
  /** Oldest first, bounded. */
  log: PlaybackLogEntry[];
}

/** What an engine and the video element tell as it plays. */
export type PlaybackNews =
  | { kind: 'served'; pathway: string; bytes: number }
  | { kind: 'log'; about: 'steering' | 'error' | 'state'; text: string }
  | { kind: 'rendition'; text: string }
  | { kind: 'clock'; bufferS: number; throughputBps: number; positionMs: number }
  | { kind: 'playing' }
  | { kind: 'stalled'; durationMs: number }
  | { kind: 'ended' }
  | { kind: 'fatal'; text: string };

/** News with its time. */
export type TimedNews = PlaybackNews & { readonly timeMs: number };

const logLengthMax = 200;

/** A playback of which nothing is known yet. */
export function initialPlayback(engine: EngineKind): PlaybackState {
  return {
    engine,
    servedBy: undefined,
    rendition: undefined,
    bufferS: 0,
    throughputBps: 0,
    positionMs: 0,
    bytesByPathway: {},
    stalls: 0,
    stallMs: 0,
    fatal: undefined,
    ended: false,
    log: [],
  };
}

function remember(state: PlaybackState, entry: Omit<PlaybackLogEntry, 'key' | 'count'>): void {
  const last = state.log.at(-1);
  // An outage may repeat one error many times a second: it must not push everything else out.
  if (last !== undefined && entry.kind === 'error' && last.kind === 'error' && last.text === entry.text) {
    state.log[state.log.length - 1] = { ...last, timeMs: entry.timeMs, count: last.count + 1 };
    return;
  }
  state.log.push({ ...entry, key: (last?.key ?? 0) + 1, count: 1 });
  if (state.log.length > logLengthMax) state.log.shift();
}

function applyNews(state: PlaybackState, news: TimedNews): void {
  const { timeMs } = news;
  switch (news.kind) {
    case 'served':
      state.bytesByPathway[news.pathway] = (state.bytesByPathway[news.pathway] ?? 0) + news.bytes;
      if (state.servedBy === news.pathway) return;
      remember(state, {
        timeMs,
        kind: 'pathway',
        text: `segments ${state.servedBy === undefined ? '' : 'now '}come from ${news.pathway}`,
      });
      state.servedBy = news.pathway;
      return;
    case 'log':
      remember(state, { timeMs, kind: news.about, text: news.text });
      return;
    case 'rendition':
      if (state.rendition === news.text) return;
      state.rendition = news.text;
      remember(state, { timeMs, kind: 'rendition', text: `plays ${news.text}` });
      return;
    case 'clock':
      state.bufferS = news.bufferS;
      state.throughputBps = news.throughputBps;
      state.positionMs = news.positionMs;
      return;
    case 'playing':
      state.ended = false;
      return;
    case 'stalled':
      state.stalls++;
      state.stallMs += news.durationMs;
      remember(state, { timeMs, kind: 'stall', text: `stalled for ${Math.round(news.durationMs)} ms` });
      return;
    case 'ended':
      if (!state.ended) remember(state, { timeMs, kind: 'state', text: 'played to the end' });
      state.ended = true;
      return;
    case 'fatal':
      state.fatal = news.text;
      remember(state, { timeMs, kind: 'error', text: `playback ended: ${news.text}` });
  }
}

export const playbackSlice = createSlice({
  name: 'playback',
  initialState: initialPlayback('hls'),
  reducers: {
    started: (_state, action: PayloadAction<EngineKind>) => initialPlayback(action.payload),
    news: (state, action: PayloadAction<TimedNews>) => {
      applyNews(state, action.payload);
    },
  },
});
