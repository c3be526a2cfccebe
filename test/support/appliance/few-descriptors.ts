// Serves one file in a process that may be given few descriptors: prints where, and counts until its input ends.
import { text } from 'node:stream/consumers';

import { counterSlots } from '../../../appliance/engine/native-counters.ts';
import { putFile, seededBytes, testBundle, testFile, testToken } from './content.ts';
import { engineKinds, temporaryDirectory, testDisk, testEngine } from './serving-box.ts';

const teardowns: (() => Promise<unknown>)[] = [];
const t = { teardown: (done: () => Promise<unknown>) => void teardowns.unshift(done) };
const kind = engineKinds.find((each) => each === process.argv[2]) ?? 'node';
const { disk } = await testDisk(await temporaryDirectory(t));
const film = testFile(seededBytes(100_000, 1));
const bundle = testBundle([film]);
for (const file of [film, bundle]) await putFile(disk, file);
const box = await testEngine(t, { content: disk, kind });
const path = `/v1/${testToken(box.key, { bundle: bundle.file })}/${film.file}.mp4`;
process.stdout.write(`${JSON.stringify({ port: box.port, path })}\n`);
await text(process.stdin);
const refused = box.counters[counterSlots.indexOf('acceptErrors')] ?? 0;
process.stdout.write(`${JSON.stringify({ refused })}\n`);
for (const done of teardowns) await done();
