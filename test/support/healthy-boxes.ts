import { setTimeout as sleep } from 'node:timers/promises';
import { SteeringStatus } from '../../common/contract/steering.ts';
import type { TestSystem } from './system.ts';

const healTimeoutMs = 30_000;

/** Waits until steering sees every one of `boxes` well. */
export async function untilHealthy({ context, system }: TestSystem, boxes: readonly string[]): Promise<void> {
  const deadlineMs = performance.now() + healTimeoutMs;
  for (;;) {
    const path = `${system.topology.steeringUrl}/v1/status`;
    const { pathways } = await context.api.call({ path, reply: SteeringStatus });
    const healthy = pathways.filter((pathway) => pathway.healthy).map((pathway) => pathway.id);
    if (boxes.every((box) => healthy.includes(box))) return;
    if (performance.now() > deadlineMs)
      throw new Error(`only ${healthy.join(', ')} healthy after ${healTimeoutMs} ms`);
    await sleep(100);
  }
}
