import type { EventConsumer, EventsReport } from './port.ts';

/** What retention needs to know of a log's files, oldest first; the last is being written and is never dropped. */
export interface RetentionInput {
  segments: readonly { nextOffset: number; baseOffset: number; sizeBytes: number }[];
  consumers: readonly EventConsumer[];
  retainBytes: number;
  limitBytes: number;
}

/** How many of the oldest files to drop, and what consumers lose by it. */
export interface RetentionPlan {
  dropCount: number;
  losses: Extract<EventsReport, { kind: 'dropped-unread' }>[];
}

/**
 * Drops the oldest files above `retainBytes` that every consumer has handled, and above `limitBytes` the oldest in any case:
 * a consumer that stands still must not fill the disk, but it is told what it lost.
 */
export function planRetention(input: RetentionInput): RetentionPlan {
  const { segments, consumers, retainBytes, limitBytes } = input;
  let sizeBytes = segments.reduce((sum, segment) => sum + segment.sizeBytes, 0);
  let dropCount = 0;
  for (const segment of segments.slice(0, -1)) {
    const isUnread = consumers.some((consumer) => consumer.offset < segment.nextOffset - 1);
    if (sizeBytes <= (isUnread ? limitBytes : retainBytes)) break;
    sizeBytes -= segment.sizeBytes;
    dropCount += 1;
  }
  const dropped = segments.slice(0, dropCount);
  return { dropCount, losses: consumers.flatMap((consumer) => lossOf(consumer, dropped)) };
}

function lossOf(consumer: EventConsumer, dropped: RetentionInput['segments']): RetentionPlan['losses'] {
  const first = dropped[0];
  const last = dropped.at(-1);
  if (first === undefined || last === undefined || consumer.offset >= last.nextOffset - 1) return [];
  const firstOffset = Math.max(first.baseOffset, consumer.offset + 1);
  return [{ kind: 'dropped-unread', consumer: consumer.name, firstOffset, lastOffset: last.nextOffset - 1 }];
}
