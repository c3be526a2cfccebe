// `./dev soak players [--rounds N]`: real players in a real browser while boxes and steering fail; a round is about 40 minutes.
import { provePlayers } from '../support/players/prove.ts';
import { runProof } from '../support/proof.ts';

const claim =
  'hls.js, shaka-player (HLS and DASH) and dash.js in Chromium play a film to its end while the box that serves them is killed, ' +
  'stopped, sheds, ends, is drained or was dead from the start, and while steering fails in every way, with no stall over 0.2 s ' +
  'with our settings; each follows a change of steering within the TTL and a segment.';

await runProof('players', { claim, rounds: 1 }, provePlayers);
