// Opens records and prints what is imported for it.
import { registerHooks } from 'node:module';

registerHooks({
  resolve(specifier, context, nextResolve) {
    process.stdout.write(`${specifier}\n`);
    return nextResolve(specifier, context);
  },
});

const { openRecords } = await import('../../../../common/adapters/records/open.ts');
const records = await openRecords(`sqlite://${process.argv[2] ?? ''}`);
await records.close();
