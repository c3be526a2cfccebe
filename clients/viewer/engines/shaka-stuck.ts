import shaka from 'shaka-player';

/** Longer than Shaka takes for all its attempts at a segment, and the second until the next. */
const stuckMs = 10_000;

/**
 * Shaka 5.2 at times asks no more for one of the tracks after it has broken off a request of it, and buffers for ever without
 * an error. Calls `reload` when it has buffered so long and no segment has been asked for or has come. Returns what
 * ends the watch.
 */
export function watchStuck(player: shaka.Player, reload: () => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const moved = () => {
    clearTimeout(timer);
    if (player.isBuffering()) timer = setTimeout(reload, stuckMs);
  };
  const onTraffic = (type: shaka.net.NetworkingEngine.RequestType) => {
    // Steering is asked on, whatever becomes of the film.
    if (type === shaka.net.NetworkingEngine.RequestType.SEGMENT) moved();
  };
  const network = player.getNetworkingEngine();
  network?.registerRequestFilter(onTraffic);
  network?.registerResponseFilter(onTraffic);
  player.addEventListener('buffering', moved);
  return () => {
    clearTimeout(timer);
  };
}
