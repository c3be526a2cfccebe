import { setTimeout } from 'node:timers/promises';
import { explain } from '../../cli/commands/steer.ts';
import type { CommandContext } from '../../cli/context.ts';
import { findTitle } from '../../cli/find-title.ts';

const pollMs = 50;
const timeoutMs = 30_000;

/** Waits until steering sends the viewers of a live title that watch on this machine to a box, which it must have seen well. */
export async function untilSteered({ api }: CommandContext, titleId: string): Promise<void> {
  const { bundle } = await findTitle(api, titleId);
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    const { pathways } = await explain(api, { client: '127.0.0.1', bundle });
    const [best] = pathways;
    if (best?.role === 'appliance') return;
    if (performance.now() > endMs) throw new Error(`steering sends viewers to ${best?.id ?? 'nobody'}`);
    await setTimeout(pollMs);
  }
}
