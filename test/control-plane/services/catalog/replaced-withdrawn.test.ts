import t from 'tap';
import { contentKey } from '../../../../common/core/file-keys.ts';
import { onAir } from '../../support/replace-lab.ts';

const hourMs = 3_600_000;

t.test('a withdrawal leaves no bundle behind: played at some sites yet, or about to be played', async (t) => {
  const { lab, first, standing } = await onAir(t);
  await lab.retake('second');
  const second = await lab.encode('second');
  standing.set(second.name, ['a']);
  await lab.catalog.review();
  await lab.retake('third');
  const third = await lab.encode('third!');
  const refused = await lab.catalog.withdraw(lab.id);
  t.same(new Set(refused), new Set([first.name, second.name, third.name]));
  t.same(lab.bundles(), []);
  lab.clock.jumpWall(1.1 * hourMs);
  await lab.catalog.sweep();
  const stored = async (name: string) => (await lab.blobs.stat(contentKey(name))) !== undefined;
  t.same([await stored(first.name), await stored(third.name)], [false, false]);
  t.ok(await stored(second.name), 'the master copy of what was played stays');
});
