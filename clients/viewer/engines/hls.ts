import Hls, {
  type ErrorData,
  type Level,
  type LoadPolicy,
  type MediaPlaylist,
  type NullableNetworkDetails,
} from 'hls.js';

import { pathwayOf, refusalText, steeringText } from '../pathways.ts';
import { backBufferS, renditionText, startClock, type Engine, type EngineOptions } from './engine.ts';
import { steeringLoader } from './hls-steering-loader.ts';
import { tryingAgain, type TryAgain } from './try-again.ts';

// A box that does not answer within 1.5 s is left for the next pathway; trying the same box again only costs time.
function policy(maxLoadTimeMs: number): LoadPolicy {
  const none = { maxNumRetry: 0, retryDelayMs: 0, maxRetryDelayMs: 0 };
  return { default: { maxTimeToFirstByteMs: 1500, maxLoadTimeMs, timeoutRetry: none, errorRetry: none } };
}

/** Plays a session's HLS with hls.js, which follows content steering by itself. */
export function startHls(options: EngineOptions): Engine {
  const { video, session, bufferS, startS, tell } = options;
  const hls = new Hls({
    startPosition: startS,
    maxBufferLength: bufferS,
    maxMaxBufferLength: bufferS,
    backBufferLength: backBufferS,
    fragLoadPolicy: policy(12_000),
    playlistLoadPolicy: policy(5000),
    loader: steeringLoader((text) => {
      tell({ kind: 'log', about: 'steering', text });
    }),
  });
  const tryAgain = tryingAgain(() => {
    // Without a manifest there is nothing yet to load segments of.
    if (hls.levels.length === 0) hls.loadSource(session.hlsUrl);
    else hls.startLoad();
  });
  listen(hls, options, tryAgain);
  let { choice } = options;
  const choose = () => {
    const { audioTracks, subtitleTracks } = hls;
    const audio = indexOf(audioTracks, choice.audio);
    if (audio >= 0 && audio !== hls.audioTrack) hls.audioTrack = audio;
    const captions = indexOf(subtitleTracks, choice.captions);
    hls.subtitleDisplay = captions >= 0;
    if (captions !== hls.subtitleTrack) hls.subtitleTrack = captions;
  };
  hls.on(Hls.Events.MANIFEST_PARSED, (_event, { levels }) => {
    preferHdr(hls, levels);
  });
  // Each pathway has tracks of its own.
  hls.on(Hls.Events.AUDIO_TRACKS_UPDATED, choose);
  hls.on(Hls.Events.SUBTITLE_TRACKS_UPDATED, choose);
  const stopClock = startClock(options, () => hls.bandwidthEstimate);
  hls.loadSource(session.hlsUrl);
  hls.attachMedia(video);
  return {
    choose(next) {
      choice = next;
      choose();
    },
    stop() {
      stopClock();
      tryAgain.stop();
      hls.destroy();
    },
  };
}

/** HDR is in a manifest only for who has asked for it, but hls.js takes SDR unless told otherwise. */
function preferHdr(hls: Hls, levels: readonly Level[]): void {
  const hdr = levels.filter(({ videoRange }) => videoRange !== 'SDR');
  if (hdr.length === 0) return;
  hls.config.videoPreference = {
    preferHDR: true,
    allowedVideoRanges: [...new Set(hdr.map(({ videoRange }) => videoRange))],
  };
}

/** Where the track with a session's id is, which is the same on all pathways; -1: nowhere. */
function indexOf(tracks: readonly MediaPlaylist[], id: string | undefined): number {
  return id === undefined ? -1 : tracks.findIndex(({ attrs }) => attrs['STABLE-RENDITION-ID'] === id);
}

function rendition({ width, height, bitrate, videoRange: range }: Level): string {
  return renditionText({ width, height, bitrate, range });
}

function listen(hls: Hls, { session, tell }: EngineOptions, tryAgain: TryAgain): void {
  hls.on(Hls.Events.STEERING_MANIFEST_LOADED, (_event, { steeringManifest }) => {
    const text = steeringText(steeringManifest);
    if (text !== undefined) tell({ kind: 'log', about: 'steering', text });
  });
  hls.on(Hls.Events.FRAG_LOADED, (_event, { frag, networkDetails }) => {
    const url = finalUrl(networkDetails) || frag.url;
    tryAgain.served();
    tell({ kind: 'served', pathway: pathwayOf(session, url), bytes: frag.stats.loaded });
  });
  hls.on(Hls.Events.LEVEL_SWITCHED, (_event, { level }) => {
    const played = hls.levels[level];
    if (played !== undefined) tell({ kind: 'rendition', text: rendition(played) });
  });
  hls.on(Hls.Events.ERROR, (_event, data) => {
    // hls.js mends a short hole by itself; the video element tells of stalls.
    if (!data.fatal && data.details === Hls.ErrorDetails.BUFFER_STALLED_ERROR) return;
    const text = errorText(session, data);
    const isOver = data.fatal && !(data.type === Hls.ErrorTypes.NETWORK_ERROR && tryAgain.failed());
    tell(isOver ? { kind: 'fatal', text } : { kind: 'log', about: 'error', text });
  });
}

/** Who answered in the end, redirects followed. */
function finalUrl(details: NullableNetworkDetails): string {
  if (details === null) return '';
  return details instanceof Response ? details.url : details.responseURL;
}

function errorText(session: EngineOptions['session'], data: ErrorData): string {
  const { details, frag, context, response, url, error } = data;
  // Of these three, a failed segment has the first only, a failed playlist the others.
  const at = frag?.url ?? context?.url ?? url;
  if (data.type !== Hls.ErrorTypes.NETWORK_ERROR || at === undefined)
    return `${details}${error.message === '' ? '' : `: ${error.message}`}`;
  const what = frag === undefined ? 'playlist' : 'segment';
  const why = response === undefined ? 'no answer in time' : refusalText(response.code ?? 0);
  return `${what} from ${pathwayOf(session, at)}: ${why}`;
}
