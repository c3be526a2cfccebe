import shaka from 'shaka-player';

import { pathwayOf, refusalText, steeringText } from '../pathways.ts';
import { trackIn } from '../track-choice.ts';
import { backBufferS, renditionText, startClock, type Engine, type EngineOptions } from './engine.ts';
import { watchStuck } from './shaka-stuck.ts';
import { tryingAgain, type TryAgain } from './try-again.ts';

// Three quick attempts, each of which goes to the next BaseURL; 1.5 s without a byte ends one.
const retryParameters = {
  maxAttempts: 3,
  baseDelay: 100,
  backoffFactor: 1,
  stallTimeout: 1500,
  connectionTimeout: 1500,
};

/** Plays a session's DASH with Shaka, which follows content steering by itself. */
export function startDash(options: EngineOptions): Engine {
  const { video, session, bufferS, startS, tell } = options;
  shaka.polyfill.installAll();
  const player = new shaka.Player();
  const tryAgain = tryingAgain(() => player.retryStreaming(0));
  const unlisten = listen(player, options, tryAgain);
  const unwatch = watchStuck(player, () => {
    tell({
      kind: 'log',
      about: 'error',
      text: 'Shaka stands still without a reason: the film is loaded again',
    });
    void load(video.currentTime);
  });
  let { choice } = options;
  const stopClock = startClock(options, () => player.getStats().estimatedBandwidth);
  void load(startS);
  return {
    choose(next) {
      choice = next;
      choose();
    },
    stop() {
      stopClock();
      tryAgain.stop();
      unwatch();
      unlisten();
      void player.destroy();
    },
  };

  function choose(): void {
    const { audio = [] } = session;
    const language = audio.find(({ id }) => id === choice.audio)?.language;
    const sound = trackIn(player.getAudioTracks(), language);
    if (sound?.active === false) player.selectAudioTrack(sound);
    const text = player.getTextTracks().find(({ originalTextId }) => originalTextId === choice.captions);
    player.selectTextTrack(text ?? null);
  }

  async function load(atS: number): Promise<void> {
    try {
      await player.attach(video);
      player.configure({
        streaming: {
          bufferingGoal: bufferS,
          rebufferingGoal: 1,
          bufferBehind: backBufferS,
          retryParameters,
          // Shaka's own would try again for live streams only: `error` below does.
          failureCallback: () => undefined,
        },
        manifest: { retryParameters },
      });
      await player.load(session.dashUrl, atS);
      choose();
    } catch (error) {
      const code: unknown = (error as Partial<shaka.util.Error>).code;
      // Stopped before it had started.
      if (code === shaka.util.Error.Code.LOAD_INTERRUPTED || code === shaka.util.Error.Code.OBJECT_DESTROYED)
        return;
      tell({ kind: 'fatal', text: describe(error) });
    }
  }
}

/** What Shaka says of a download that failed (its `downloadfailed` event). */
interface FailedDownload {
  readonly requestType: shaka.net.NetworkingEngine.RequestType;
  readonly request: shaka.extern.Request;
  readonly error: shaka.util.Error | null;
  readonly httpResponseCode: number;
  /** One of its own time limits ended it. */
  readonly aborted: boolean;
}

function listen(player: shaka.Player, options: EngineOptions, tryAgain: TryAgain): () => void {
  const { session, tell, video } = options;
  const { SEGMENT, CONTENT_STEERING } = shaka.net.NetworkingEngine.RequestType;
  player.getNetworkingEngine()?.registerResponseFilter((type, { uri, data }) => {
    if (type === SEGMENT) {
      tryAgain.served();
      tell({ kind: 'served', pathway: pathwayOf(session, uri), bytes: data.byteLength });
    }
    if (type === CONTENT_STEERING) tell({ kind: 'log', about: 'steering', text: steeringNews(data) });
  });
  player.addEventListener('downloadfailed', (event) => {
    const text = failureText(session, event as unknown as FailedDownload);
    if (text !== undefined) tell({ kind: 'log', ...text });
  });
  // What is on the screen, not what is fetched: the picture's size changes when the new one is shown.
  const onRendition = () => {
    const tracks = player.getVariantTracks();
    const shown = tracks.filter((track) => track.height === video.videoHeight);
    const active = shown.find((track) => track.active) ?? shown[0] ?? tracks.find((track) => track.active);
    if (active === undefined || video.videoHeight === 0) return;
    const { width, height, bandwidth, hdr: range } = active;
    tell({
      kind: 'rendition',
      text: renditionText({ width: width ?? 0, height: height ?? 0, bitrate: bandwidth, range }),
    });
  };
  for (const name of ['adaptation', 'variantchanged', 'trackschanged'])
    player.addEventListener(name, onRendition);
  video.addEventListener('resize', onRendition);
  player.addEventListener('error', (event) => {
    const { detail: error } = event as CustomEvent<Partial<shaka.util.Error>>;
    const { Category, Severity } = shaka.util.Error;
    const goesOn = error.category === Category.NETWORK && tryAgain.failed();
    const isFatal = error.severity === Severity.CRITICAL && !goesOn;
    const text = describe(error);
    tell(isFatal ? { kind: 'fatal', text } : { kind: 'log', about: 'error', text });
  });
  return () => {
    video.removeEventListener('resize', onRendition);
  };
}

function failureText(
  session: EngineOptions['session'],
  { requestType, request, error, httpResponseCode, aborted }: FailedDownload,
): { about: 'steering' | 'error'; text: string } | undefined {
  const { CONTENT_STEERING, SEGMENT } = shaka.net.NetworkingEngine.RequestType;
  const isAbandoned = error?.code === shaka.util.Error.Code.OPERATION_ABORTED && !aborted;
  if (isAbandoned) return undefined;
  if (requestType === CONTENT_STEERING) {
    const why = httpResponseCode === 0 ? 'no connection' : `status ${httpResponseCode}`;
    return { about: 'steering', text: `steering failed: ${aborted ? 'no answer in time' : why}` };
  }
  const what = requestType === SEGMENT ? 'segment' : 'manifest';
  // Each attempt takes the next way.
  const at = request.uris[request.attempt % request.uris.length] ?? '';
  const why = aborted ? 'no answer in time' : refusalText(httpResponseCode);
  return { about: 'error', text: `${what} from ${pathwayOf(session, at)}: ${why}` };
}

function steeringNews(data: ArrayBuffer | ArrayBufferView): string {
  try {
    const text = steeringText(JSON.parse(shaka.util.StringUtils.fromUTF8(data)));
    if (text !== undefined) return text;
  } catch {
    // It is told below, as of any other reply that says nothing.
  }
  return 'steering answered something that is no steering manifest';
}

function describe(error: unknown): string {
  const { code } = error as { code?: number };
  return code === undefined ? String(error) : `Shaka error ${code}`;
}
