import t from 'tap';
import { createLog } from '../../../common/runtime/log.ts';
import { createManualClock } from '../../../common/runtime/manual-clock.ts';
import { createTeller } from '../../../control-plane/apart/tell.ts';

t.test(
  'so many calls are under way and no more; of what is lost the log hears once a minute, and how much',
  async (t) => {
    const lines: string[] = [];
    const write = (line: string): void => void lines.push(line);
    const log = createLog({ name: 'x', level: 'warn', format: 'json', write });
    const clock = createManualClock();
    const tell = createTeller({ underWayMax: 2, clock, log, unheard: 'nobody heard' });
    const calls: PromiseWithResolvers<void>[] = [];
    const one = (): void => {
      tell(() => {
        const call = Promise.withResolvers<void>();
        calls.push(call);
        return call.promise;
      });
    };
    const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
    for (let at = 0; at < 5; at++) one();
    t.equal(calls.length, 2, 'the rest is not told');
    t.equal(lines.length, 1);
    t.match(lines[0], /"underWay":2[^]*"lost":1[^]*nobody heard/);
    calls[0]?.reject(new Error('away'));
    await settled();
    one();
    t.equal(calls.length, 3, 'there is room again');
    calls[1]?.resolve();
    await settled();
    one();
    one();
    t.equal(calls.length, 4);
    t.equal(lines.length, 1, 'though some go well between');
    await clock.advance(60_000);
    calls[2]?.reject(new Error('away'));
    await settled();
    t.equal(lines.length, 2);
    t.match(lines[1], /away[^]*"lost":5/);
  },
);
