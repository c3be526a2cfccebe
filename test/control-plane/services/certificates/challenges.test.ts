import t from 'tap';
import { createManualClock } from '../../../../common/runtime/manual-clock.ts';
import { createChallenges } from '../../../../control-plane/services/certificates/challenges.ts';

t.test('a challenge is forgotten after an hour', async (t) => {
  const clock = createManualClock();
  const challenges = createChallenges({ clock, onChange: () => undefined });
  challenges.publish('b', ['1', '1', '2']);
  await clock.advance(1_800_000);
  challenges.publish('a', ['3']);
  t.strictSame(challenges.published(), [
    { node: 'a', values: ['3'] },
    { node: 'b', values: ['1', '2'] },
  ]);
  await clock.advance(1_800_000);
  t.strictSame(challenges.published(), [{ node: 'a', values: ['3'] }]);
});
