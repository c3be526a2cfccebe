import { startCatalogLab } from './catalog-lab.ts';

// A catalog as a process of its own, to be killed: prints its URL and stays.
const [directory = ''] = process.argv.slice(2);
const { url } = await startCatalogLab(directory);
process.stdout.write(`${url}\n`);
