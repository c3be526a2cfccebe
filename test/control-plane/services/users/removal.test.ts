import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import t from 'tap';

import { openSqliteRecords } from '../../../../common/adapters/records/sqlite.ts';
import { openViewing } from '../../../../common/adapters/viewing/open.ts';
import { createSeededChance } from '../../../../common/runtime/chance.ts';
import { coded } from '../../../../common/runtime/errors.ts';
import { createSilentLog } from '../../../../common/runtime/log.ts';
import { createManualClock } from '../../../../common/runtime/manual-clock.ts';
import { openSeals } from '../../../../control-plane/services/seals.ts';
import { createUsers } from '../../../../control-plane/services/users/service.ts';
import { temporaryDir } from '../../support/control-plane.ts';
import { until } from '../../support/until.ts';

const startMs = 1_800_000_000_000;
const [accountId, titleId] = ['acc_0123456789', 'title_1'];
const by = { accountId, unlock: undefined };

t.test(
  'removed profiles are erased at once, whoever does not hear of it, and told of until it is heard',
  async (t) => {
    const clock = createManualClock({ nowMs: startMs });
    const directory = await temporaryDir(t);
    const records = await openSqliteRecords(join(directory, 'users.db'));
    const viewing = await openViewing(
      pathToFileURL(join(directory, 'viewing.db')).href.replace('file:', 'sqlite:'),
      { onLost: t.fail },
    );
    const chance = createSeededChance(1);
    const answers: (() => Promise<unknown>)[] = [];
    const heard: string[] = [];
    const users = createUsers({
      ...{ records, viewing, seals: await openSeals({ records, chance }), clock, chance },
      accounts: { exists: async () => ({ exists: true }) },
      titles: {
        find: async () => ({ titles: [{ id: titleId, name: 'Film', durationMs: 6_000_000 }] }),
      },
      pins: { hash: async () => ({ hash: 'x' }), check: async () => ({ isRight: false }) },
      onRemoved: async (profileId) => {
        await answers.shift()?.();
        heard.push(profileId);
      },
      log: createSilentLog(),
    });
    const stopping = new AbortController();
    const watching = users.watch(stopping.signal);
    t.teardown(async () => {
      stopping.abort();
      await watching;
      await viewing.close();
      await records.close();
    });
    const addProfile = async (name: string): Promise<string> => {
      const { id } = await users.add(accountId, { name }, by);
      const said = { titleId, atMs: startMs, sequence: 1, viewingId: 'viewing-1', startedAtMs: startMs };
      const report = { kind: 'progress' as const, ...said, positionMs: 3_000_000, watchedMs: 3_000_000 };
      const batch = { deviceId: 'the-tv-00', sentAtMs: startMs, reports: [report] };
      t.match(await users.watched.report(id, batch), { accepted: 1 });
      return id;
    };
    const profiles = [await addProfile('Ada'), await addProfile('Bob'), await addProfile('Cleo')];
    const seenBy = async (id: string): Promise<number> => (await users.watched.taste(id)).seen.length;
    t.strictSame(await Promise.all(profiles.map(seenBy)), [1, 1, 1]);

    const silence = Promise.withResolvers<void>();
    answers.push(
      () => silence.promise,
      () => Promise.reject(coded('NOT_FOUND', 'an older core knows no such call')),
    );
    await users.remove(profiles[0]!, by);
    await users.personal.erase(accountId);
    t.strictSame(await Promise.all(profiles.map(seenBy)), [0, 0, 0], 'nobody who is away holds it up');
    const hearing = (count: number): Promise<unknown> =>
      until(
        async () => {
          await clock.advance(0);
          return heard.length;
        },
        (length) => length === count,
      );
    await hearing(0);
    silence.resolve();
    await hearing(2);
    await clock.advance(3_600_000);
    await hearing(3);
    t.strictSame(heard.toSorted(), profiles.toSorted(), 'each is told of once it can be heard');
    t.strictSame(
      await until(
        () => records.scan('profiles-removed'),
        ({ length }) => length === 0,
      ),
      [],
    );
  },
);
