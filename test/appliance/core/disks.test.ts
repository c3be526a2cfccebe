import fc from 'fast-check';
import t from 'tap';

import { chooseDisk } from '../../../appliance/core/choose-disk.ts';
import { planFill } from '../../../appliance/core/fill-diff.ts';
import { healthy, judgeDisk, noteAnswer, noteFailedRead } from '../../../appliance/core/judge-disk.ts';

const name = (index: number): string => index.toString(16).padStart(64, '0');

void t.test(
  'a file goes to the disk with the most room, weighed by speed, and never where it does not fit',
  (test) => {
    const room = (disk: number, freeBytes: number, bytesPerSecond?: number) => ({
      disk,
      freeBytes,
      bytesPerSecond,
    });
    test.equal(chooseDisk([room(0, 100), room(1, 200)], 50), 1);
    test.equal(
      chooseDisk([room(0, 100, 500), room(1, 200, 100)], 50),
      0,
      'five times as fast, half of the room',
    );
    test.equal(chooseDisk([room(0, 100, 500), room(1, 200, 300)], 50), 1, 'hardly faster');
    test.equal(chooseDisk([room(0, 100, 500), room(1, 200, 100)], 150), 1, 'it fits nowhere else');
    test.equal(
      chooseDisk([room(0, 100, 10), room(1, 101)], 1),
      1,
      'what is not known is not held against it',
    );
    test.equal(chooseDisk([room(3, 100), room(2, 100)], 1), 2);
    test.equal(chooseDisk([room(0, 100)], 101), undefined);
    test.equal(chooseDisk([], 0), undefined);
    test.end();
  },
);

void t.test('disks of one speed fill up together', (test) => {
  const freeBytes = [1000, 1000, 1000];
  for (let file = 0; file < 30; file++) {
    const disk = chooseDisk(
      freeBytes.map((free, index) => ({ disk: index, freeBytes: free, bytesPerSecond: 5 })),
      50,
    );
    freeBytes[disk!]! -= 50;
  }
  test.same(freeBytes, [500, 500, 500]);
  test.end();
});

void t.test(
  'a plan over several disks overfills none, and moves what is wanted off one that is emptied',
  (test) => {
    const file = fc.record({
      index: fc.nat(30),
      sizeBytes: fc.integer({ min: 1, max: 50 }),
      disk: fc.nat(3),
      inUse: fc.boolean(),
    });
    fc.assert(
      fc.property(
        fc.uniqueArray(file, { selector: (each) => each.index, maxLength: 20 }),
        fc.uniqueArray(file, { selector: (each) => each.index, maxLength: 20 }),
        fc.array(fc.nat(300), { minLength: 3, maxLength: 3 }),
        (held, wanted, spareBytes) => {
          // Disk 3 is being emptied.
          const heldMap = new Map(held.map(({ index, ...info }) => [name(index), info]));
          const on = (disk: number): number =>
            held.filter((each) => each.disk === disk).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
          const disks = spareBytes.map((spare, disk) => ({
            ...{ disk, capacityBytes: on(disk) + spare, bytesPerSecond: undefined },
          }));
          const list = wanted.map(({ index, sizeBytes }) => ({
            ...{ file: name(index), ext: 'mp4', sizeBytes: heldMap.get(name(index))?.sizeBytes ?? sizeBytes },
          }));
          const plan = planFill({
            ...{
              wanted: list,
              held: heldMap,
              disks,
              begunOn: () => undefined,
              costBytes: (size: number) => size,
            },
          });
          const used = disks.map(({ disk }) => on(disk));
          for (const [disk, bytes] of plan.evictBytes) used[disk]! -= bytes;
          for (const { disk, sizeBytes } of plan.fetch) used[disk!]! += sizeBytes;
          for (const { file: each, disk } of plan.move) used[disk]! += heldMap.get(each)!.sizeBytes;
          const wantedNames = new Set(list.map((each) => each.file));
          const isSpare = (each: string): boolean => !wantedNames.has(each) && !heldMap.get(each)!.inUse;
          const spareOn = (disk: number): number =>
            held
              .filter((each) => each.disk === disk && isSpare(name(each.index)))
              .reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
          const isFair =
            plan.remove.every((each) => isSpare(each) && heldMap.get(each)!.disk === 3) &&
            [...plan.evictBytes].every(([disk, bytes]) => bytes <= spareOn(disk));
          const isMoved = plan.move.every(
            (each) => heldMap.get(each.file)?.disk === 3 && wantedNames.has(each.file),
          );
          const stays = held.filter(({ index, disk }) => disk === 3 && wantedNames.has(name(index)));
          return (
            disks.every(({ disk, capacityBytes }) => used[disk]! <= capacityBytes) &&
            isFair &&
            isMoved &&
            plan.move.length <= stays.length &&
            plan.fetch.length + plan.left.length === list.filter((each) => !heldMap.has(each.file)).length
          );
        },
      ),
      { numRuns: 2000 },
    );
    test.end();
  },
);

void t.test(
  'room is made on the disk with the most that is free or may go; a begun download stays put',
  (test) => {
    const held = new Map([
      [name(1), { sizeBytes: 10, disk: 0, inUse: false }],
      [name(2), { sizeBytes: 12, disk: 1, inUse: false }],
    ]);
    const disks = [10, 12].map((capacityBytes, disk) => ({ disk, capacityBytes, bytesPerSecond: undefined }));
    const wanted = [{ file: name(3), ext: 'mp4', sizeBytes: 10 }];
    const costBytes = (size: number): number => size;
    const plan = planFill({ wanted, held, disks, begunOn: () => undefined, costBytes });
    test.same(plan.evictBytes, new Map([[1, 10]]));
    test.equal(plan.fetch[0]?.disk, 1);
    const begun = planFill({ wanted, held, disks, begunOn: () => 0, costBytes });
    test.same(begun.evictBytes, new Map([[0, 10]]));
    test.end();
  },
);

void t.test(
  'one bad sector is no bad disk; three files in an hour are, and so is one that is slow again and again',
  (test) => {
    let health = noteFailedRead(noteFailedRead(healthy, 0), 1000);
    test.equal(judgeDisk(health), undefined);
    test.equal(judgeDisk(noteFailedRead(health, 3_600_000)), undefined, 'the first was an hour ago');
    test.equal(judgeDisk(noteFailedRead(health, 3_599_999)), 'DISK_FAILED');
    health = healthy;
    for (let answer = 0; answer < 7; answer++) health = noteAnswer(health, 3000, 10_000);
    test.equal(judgeDisk(health), undefined);
    test.equal(judgeDisk(noteAnswer(health, 3000, 10_000)), 'DISK_SLOW');
    test.equal(judgeDisk(noteAnswer(noteAnswer(health, 10, 10_000), 3000, 10_000)), undefined);
    test.end();
  },
);
