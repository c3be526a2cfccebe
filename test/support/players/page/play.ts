// In the browser: plays a session with one of the libraries, and tells how that goes.
import { MediaPlayer } from 'dashjs';
import Hls from 'hls.js';
import shaka from 'shaka-player';
import { startDash } from '../../../../clients/viewer/engines/dash.ts';
import type { EngineOptions } from '../../../../clients/viewer/engines/engine.ts';
import { startHls } from '../../../../clients/viewer/engines/hls.ts';
import type { PlaybackNews } from '../../../../clients/viewer/playback-slice.ts';
import { watchVideo } from '../../../../clients/viewer/watch-video.ts';
import type { PlayerName, PlayerOrder, PlayerPage, PlayerState } from './player-order.ts';

/** The player page's own buffer, so that a failover shows; dash.js needs 8 s. */
const bufferS = 6;
const dashJsBufferS = 8;
const lastPictureS = 0.05;

type Start = (options: EngineOptions) => void;

const ours: Record<PlayerName, Start> = {
  'hls.js': startHls,
  'shaka DASH': startDash,
  'shaka HLS': (options) =>
    startDash({ ...options, session: { ...options.session, dashUrl: options.session.hlsUrl } }),
  'dash.js': (options) => {
    const noRetry = { MediaSegment: 0, InitializationSegment: 0, IndexSegment: 0 };
    const buffer = {
      bufferTimeDefault: dashJsBufferS,
      bufferTimeAtTopQuality: dashJsBufferS,
      bufferTimeAtTopQualityLongForm: dashJsBufferS,
    };
    startDashJs(options, { streaming: { buffer, fragmentRequestTimeout: 2500, retryAttempts: noRetry } });
  },
};

const stock: Record<PlayerName, Start> = {
  'hls.js': ({ video, session, tell }) => {
    const hls = new Hls();
    hls.on(Hls.Events.ERROR, (_event, { fatal, details }) => {
      if (fatal) tell({ kind: 'fatal', text: details });
    });
    hls.loadSource(session.hlsUrl);
    hls.attachMedia(video);
  },
  'shaka HLS': (options) => void startShaka(options, options.session.hlsUrl),
  'shaka DASH': (options) => void startShaka(options, options.session.dashUrl),
  'dash.js': (options) => {
    startDashJs(options, {});
  },
};

async function startShaka({ video, tell }: EngineOptions, url: string): Promise<void> {
  shaka.polyfill.installAll();
  const player = new shaka.Player();
  const fail = ({ severity, code }: Partial<shaka.util.Error>) => {
    if (severity === shaka.util.Error.Severity.CRITICAL)
      tell({ kind: 'fatal', text: `Shaka error ${code ?? 0}` });
  };
  player.addEventListener('error', (event) => {
    fail((event as CustomEvent<Partial<shaka.util.Error>>).detail);
  });
  await player.attach(video);
  await player.load(url).catch(fail);
}

function startDashJs({ video, session }: EngineOptions, settings: object): void {
  const player = MediaPlayer().create();
  player.updateSettings(settings);
  player.initialize(video, session.dashUrl, true);
}

let startedMs = 0;
let playingMs: number | undefined;
let stallMs = 0;
let fatal: string | undefined;
let endedMs: number | undefined;
const element = document.querySelector('video');
if (element === null) throw new TypeError('the page has no video');
const video = element;

function hear(news: PlaybackNews): void {
  if (news.kind === 'playing') playingMs ??= performance.now();
  else if (news.kind === 'stalled') stallMs += news.durationMs;
  else if (news.kind === 'fatal') fatal ??= news.text;
  else if (news.kind === 'ended') endedMs ??= performance.now();
}

function readPlayer(): PlayerState {
  const positionS = video.currentTime;
  // dash.js does not always end the stream after a failure, but shows the last picture.
  if (positionS >= video.duration - lastPictureS) endedMs ??= performance.now();
  const startMs = playingMs === undefined ? undefined : playingMs - startedMs;
  const playedMs = playingMs === undefined ? 0 : (endedMs ?? performance.now()) - playingMs;
  return {
    positionS,
    ended: endedMs !== undefined,
    startMs,
    stallMs,
    behindMs: playedMs - positionS * 1000,
    fatal,
  };
}

const unwatch = watchVideo(video, hear);
const page: PlayerPage = {
  startPlayer({ name, settings, session }: PlayerOrder) {
    startedMs = performance.now();
    const start = (settings === 'ours' ? ours : stock)[name];
    const choice = { audio: undefined, captions: undefined };
    start({ video, session, bufferS, startS: 0, choice, tell: hear });
  },
  readPlayer,
  leavePlayer() {
    unwatch();
    return readPlayer();
  },
};
Object.assign(globalThis, page);
