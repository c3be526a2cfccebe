import { eventSchemas } from '../../../common/contract/event-log.ts';
import { FileName, IpAddress, NodeId, PlaceName, TimeMs } from '../../../common/contract/primitives.ts';
import { Type } from '../../../common/contract/type.ts';
import { defineInterface, Nothing } from '../../apart/interface.ts';

const mebibyte = 1024 * 1024;
const Offset = Type.Integer({ minimum: 0 });
const LogId = Type.String({ pattern: '^[0-9a-f]{32}$' });
const Name = Type.String({ pattern: '^[a-z][a-z0-9-]{0,62}$' });

/** For how long a reader may wait for an event that it wants. */
export const readWaitMs = 5000;

/** The event log, for who learns from it elsewhere than where it is kept. Errors: those of the events port; CONFLICT where it is another log than the one that is asked for, or ends before. */
export const eventLog = defineInterface({
  service: 'events',
  name: 'event-log',
  verbs: {
    /** Events of some types behind an offset, and what to read after next, as the port reads them; waited for or not. */
    read: {
      ask: Type.Object({
        log: LogId,
        after: Offset,
        types: Type.Array(Name, { minItems: 1, maxItems: 8 }),
        isAwaited: Type.Boolean(),
      }),
      answer: Type.Object({
        events: Type.Array(
          Type.Object({
            offset: Offset,
            id: Type.Optional(Type.String()),
            type: Type.String(),
            timeMs: TimeMs,
            data: Type.Unknown(),
          }),
        ),
        next: Offset,
        missed: Offset,
      }),
      isRepeatable: true,
      waitMs: readWaitMs,
      answerBytesMax: 16 * mebibyte,
    },
    end: { ask: Nothing, answer: Type.Object({ log: LogId, lastOffset: Offset }), isRepeatable: true },
    /** Remembers up to where a reader has handled everything. */
    commit: {
      ask: Type.Object({ consumer: Name, log: LogId, offset: Offset }),
      answer: Nothing,
      isRepeatable: true,
    },
    /** Appends the parts of a report that a node has signed: each counts once, however often it is there. */
    appendServed: {
      ask: Type.Object({
        timeMs: TimeMs,
        parts: Type.Array(eventSchemas['served-report'], { minItems: 1, maxItems: 1000 }),
      }),
      answer: Nothing,
      isRepeatable: true,
      askBytesMax: 8 * mebibyte,
    },
  },
});

/** How many nodes, and titles, are asked after at a time. */
export const askedAtOnce = 1000;

/** What the intake has to know of the fleet and of titles. */
export const eventsWorld = defineInterface({
  service: 'core',
  name: 'events-world',
  verbs: {
    /** At whose site a viewer is, by its address; without a site where no route tells. */
    siteOf: {
      ask: Type.Object({ client: IpAddress }),
      answer: Type.Object({ site: Type.Optional(PlaceName) }),
      isRepeatable: true,
    },
    /** Those nodes that are enrolled; a box with its site. */
    nodes: {
      ask: Type.Object({ ids: Type.Array(NodeId, { maxItems: askedAtOnce }) }),
      answer: Type.Object({
        nodes: Type.Array(Type.Object({ id: NodeId, site: Type.Optional(PlaceName) })),
      }),
      isRepeatable: true,
    },
    /** What titles are called, by their bundles. */
    titleNames: {
      ask: Type.Object({ bundles: Type.Array(FileName, { maxItems: askedAtOnce }) }),
      answer: Type.Object({ names: Type.Array(Type.Object({ bundle: FileName, name: Type.String() })) }),
      isRepeatable: true,
    },
  },
});
