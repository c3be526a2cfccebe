import t from 'tap';
import { Value } from 'typebox/value';

import { PlayerEvent } from '../../common/contract/playback.ts';
import {
  initialPlayback,
  playbackSlice,
  type PlaybackNews,
  type PlaybackState,
} from '../../clients/viewer/playback-slice.ts';
import { PlayerEvents, type ReportedEvent } from '../../clients/viewer/player-events.ts';

const pathways = [
  {
    ...{ id: 'isp-a-1', url: 'http://127.0.1.1:8080', site: 'isp-a', cluster: 'isp-a' },
    role: 'appliance' as const,
  },
];

/** What is reported of some news, in the order in which it happens. */
function reported(news: readonly PlaybackNews[], nowMs = () => 0): ReportedEvent[] {
  const events = new PlayerEvents({ pathways }, nowMs);
  let state: PlaybackState = initialPlayback('hls');
  return news.flatMap((item) => {
    const before = state;
    state = playbackSlice.reducer(state, playbackSlice.actions.news({ ...item, timeMs: 1 }));
    return events.of(item, before, state) ?? [];
  });
}

const clock = (positionMs: number): PlaybackNews => ({
  ...{ kind: 'clock', bufferS: 6, positionMs },
  throughputBps: 1234567.8,
});

t.test('each change is reported once', async (t) => {
  const events = reported([
    { kind: 'served', pathway: 'isp-a-1', bytes: 1 },
    { kind: 'rendition', text: '640×360, 784 kb/s' },
    { kind: 'playing' },
    { kind: 'rendition', text: '640×360, 784 kb/s' },
    { kind: 'served', pathway: 'isp-a-1', bytes: 1 },
    { kind: 'playing' },
    { kind: 'log', about: 'steering', text: 'steering says isp-a-1' },
    { kind: 'stalled', durationMs: 12.6 },
    { kind: 'ended' },
    { kind: 'ended' },
  ]);
  t.same(
    events.map(({ type }) => type),
    ['pathway', 'rendition', 'play', 'stall', 'end'],
  );
  t.match(events[3], { stallMs: 13, pathway: 'isp-a-1' });
});

t.test('progress is reported every ten seconds of the film, backwards too', async (t) => {
  const events = reported([0, 9999, 10_000.4, 15_000, 20_001, 3000].map(clock));
  t.same(
    events.map(({ positionMs }) => positionMs),
    [10_000, 20_001, 3000],
  );
});

t.test('how long the start took, and how long it played since that was told last', async (t) => {
  const times = [1000, 1420];
  const events = reported(
    [
      { kind: 'playing' },
      ...[0, 4000, 8000, 11_000].map(clock),
      // A jump is no playing.
      ...[60_000, 62_000].map(clock),
      { kind: 'stalled', durationMs: 500 },
      { kind: 'ended' },
    ],
    () => times.shift() ?? 0,
  );
  t.match(events[0], { type: 'play', startMs: 420 });
  t.strictSame(
    events.slice(1).map(({ type, playedMs }) => [type, playedMs]),
    [
      ['progress', 11_000],
      ['progress', undefined],
      ['stall', 2000],
      ['end', undefined],
    ],
  );
});

t.test('whatever happens, the report is valid', async (t) => {
  const events = reported([
    { kind: 'served', pathway: '127.0.0.1:8080', bytes: 1 },
    clock(Number.NaN),
    clock(20_000),
    { ...clock(40_000), throughputBps: Number.POSITIVE_INFINITY } as PlaybackNews,
    { kind: 'stalled', durationMs: 1e12 },
    { kind: 'rendition', text: 'x'.repeat(1000) },
    { kind: 'fatal', text: 'y'.repeat(10_000) },
    clock(-5000),
  ]);
  t.ok(events.length >= 6);
  for (const event of events) {
    const whole = { ...event, id: crypto.randomUUID(), timeMs: Date.now() };
    t.ok(Value.Check(PlayerEvent, whole), JSON.stringify(event).slice(0, 200));
    t.notOk('pathway' in event, 'a host that is no node is not reported as one');
  }
});
