import { join } from 'node:path';

import { createSystemChance } from '../common/runtime/chance.ts';
import { createSystemClock } from '../common/runtime/clock.ts';
import { openDataDir } from '../common/runtime/data-dir.ts';
import { coded } from '../common/runtime/errors.ts';
import { openIdentity } from '../common/runtime/identity.ts';
import { readIdentity } from '../common/runtime/identity-file.ts';
import { createLog } from '../common/runtime/log.ts';
import { readEnrolmentCode } from '../common/runtime/node-options.ts';
import { readConfig } from './config.ts';

const usage = `nearcast-appliance enrol CODE --control-url URL

Joins the control plane with a single-use code and keeps the identity in the data directory.
Other options are those of nearcast-appliance --help.
`;

/**
 * Joins a control plane and ends, so that whoever installs a box sees at once whether the code was right.
 *
 * @returns the exit code. Errors: those of openIdentity, CONFLICT when the box is enrolled already.
 */
export async function enrol(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  if (argv.includes('--help')) {
    process.stdout.write(usage);
    return 0;
  }
  const [first, ...rest] = argv;
  const hasCode = first?.startsWith('--') === false;
  const config = readConfig(hasCode ? ['--enrolment-code', first, ...rest] : argv, env);
  const role = config.origin ? 'origin' : 'appliance';
  const dataDir = await openDataDir({ path: config.dataDir, kind: role, formatVersion: 1 });
  try {
    const identityPath = join(config.dataDir, 'identity.json');
    const held = await readIdentity(identityPath);
    if (held !== undefined) {
      throw coded(
        'CONFLICT',
        `this box is enrolled as ${held.nodeId}; to enrol it anew, remove ${identityPath}`,
      );
    }
    const identity = await openIdentity({
      dataDir: config.dataDir,
      role,
      controlUrl: config.controlUrl,
      code: readEnrolmentCode(config),
      clock: createSystemClock(),
      chance: createSystemChance(),
      log: createLog({ name: role, ...config.log, level: 'warn' }),
    });
    await identity.control.close();
    const place = identity.site === undefined ? '' : ` at site ${identity.site}`;
    process.stdout.write(`enrolled as ${identity.nodeId}${place} with ${config.controlUrl}\n`);
    return 0;
  } finally {
    await dataDir.close();
  }
}
