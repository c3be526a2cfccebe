import fc from 'fast-check';
import t from 'tap';

import { PlayerEvent } from '../../../../../common/contract/playback.ts';
import { loadCmcdDecoder } from '../../../../../common/runtime/cmcd-decoder.ts';
import { matches } from '../../../../../common/runtime/parse.ts';
import { cmcdLines, readCmcdReports } from '../../../../../control-plane/services/events/core/cmcd-events.ts';

const decode = await loadCmcdDecoder();
const read = (body: string) => readCmcdReports(cmcdLines(body), { decode, sight: undefined });

t.test('each kind of report', async (t) => {
  for (const [line, type] of [
    ['e=ps,sta=p,msd=10', 'play'],
    ['e=t,sta=p', 'progress'],
    ['e=bc,br=(900)', 'rendition'],
    ['e=ps,sta=e', 'end'],
    ['e=ps,sta=f', 'error'],
    ['e=e,ec=("404")', 'error'],
    ['e=ps,sta=p,bsd=(700)', 'stall'],
  ] as const)
    t.strictSame(
      read(`${line},ts=1000`).events.map((event) => event.type),
      [type],
      line,
    );
  t.strictSame(read('e=m,ts=1000').events, [], 'muting is nothing of playback');
});

t.test('lines in any order tell the same, and a long silence is no playing', async (t) => {
  const lines = ['e=t,sta=p,ts=1000', 'e=t,sta=p,ts=31000', 'e=t,sta=p,ts=400000'];
  const played = (body: string[]) => read(body.join('\n')).events.map(({ playedMs }) => playedMs);
  t.strictSame(played(lines), [undefined, 30_000, undefined]);
  t.strictSame(played(lines.toReversed()), [undefined, 30_000, undefined]);
});

t.test('whatever comes, what is taken is an event, and not more than a batch has', async () => {
  const value = fc.oneof(
    fc.integer().map(String),
    fc.double().map(String),
    fc.constantFrom('p', 'r', 'ps', 't', 'e', '"x"', '(1 2)', '(5000;v)', '1e99', '?1', ':AA==:'),
  );
  const key = fc.constantFrom(...'e ts sta msd bsd br mtp pt sid sn v bs ec com.example-key'.split(' '));
  const line = fc
    .array(fc.tuple(key, value), { maxLength: 8 })
    .map((pairs) => ['e=t', 'ts=1000', ...pairs.map(([name, one]) => `${name}=${one}`)].join(','));
  const body = fc.array(fc.oneof(line, fc.string()), { maxLength: 150 }).map((lines) => lines.join('\n'));
  fc.assert(
    fc.property(body, (text) => {
      const { events } = read(text);
      return events.length <= 100 && events.every((event) => matches(PlayerEvent, event));
    }),
    { numRuns: 200 },
  );
});
