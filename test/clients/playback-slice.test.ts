import t from 'tap';

import {
  initialPlayback,
  playbackSlice,
  type PlaybackNews,
  type PlaybackState,
} from '../../clients/viewer/playback-slice.ts';

const { reducer, actions } = playbackSlice;

function after(...news: PlaybackNews[]): PlaybackState {
  return news.reduce(
    (state, item, index) => reducer(state, actions.news({ ...item, timeMs: 1000 + index })),
    initialPlayback('hls'),
  );
}

t.test('bytes are counted per pathway, and a change of pathway is logged once', async (t) => {
  const state = after(
    { kind: 'served', pathway: 'isp-a-1', bytes: 10 },
    { kind: 'served', pathway: 'isp-a-1', bytes: 5 },
    { kind: 'served', pathway: 'isp-a-2', bytes: 7 },
  );
  t.same(state.bytesByPathway, { 'isp-a-1': 15, 'isp-a-2': 7 });
  t.equal(state.servedBy, 'isp-a-2');
  t.same(
    state.log.map(({ kind, text, timeMs }) => [kind, text, timeMs]),
    [
      ['pathway', 'segments come from isp-a-1', 1000],
      ['pathway', 'segments now come from isp-a-2', 1002],
    ],
  );
});

t.test('stalls add up; an end is an end until it plays again', async (t) => {
  const state = after(
    { kind: 'stalled', durationMs: 120.4 },
    { kind: 'stalled', durationMs: 30 },
    { kind: 'ended' },
    { kind: 'ended' },
  );
  t.equal(state.stalls, 2);
  t.equal(state.stallMs, 150.4);
  t.ok(state.ended);
  t.equal(state.log.filter(({ text }) => text === 'played to the end').length, 1);
  t.notOk(reducer(state, actions.news({ kind: 'playing', timeMs: 9 })).ended);
});

t.test('an error that repeats is one line; the log is bounded and its keys never repeat', async (t) => {
  const error: PlaybackNews = { kind: 'log', about: 'error', text: 'segment from isp-a-1: no connection' };
  const outage = after(error, error, error);
  t.match(outage.log, [{ count: 3, timeMs: 1002 }]);
  const steering = Array.from({ length: 1000 }, (_, index): PlaybackNews => ({
    ...{ kind: 'log', about: 'steering' },
    text: `steering says ${index}`,
  }));
  const { log } = after(...steering);
  t.equal(log.length, 200);
  t.equal(log.at(-1)?.text, 'steering says 999');
  t.equal(new Set(log.map(({ key }) => key)).size, 200);
});

t.test('another start forgets everything', async (t) => {
  const state = after({ kind: 'fatal', text: 'gone' });
  t.equal(state.fatal, 'gone');
  t.same(reducer(state, actions.started('dash')), initialPlayback('dash'));
});
