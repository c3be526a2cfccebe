import { applianceHelp, readConfig } from './config.ts';
import { startEarly } from './early-start.ts';

/** Runs an appliance or, with `--origin`, an origin until it is told to stop. @returns its exit code. */
export async function run(argv: string[], env: NodeJS.ProcessEnv): Promise<number> {
  if (argv.includes('--help')) {
    process.stdout.write(applianceHelp());
    return 0;
  }
  const config = readConfig(argv, env);
  const early = await startEarly(config);
  try {
    // Most of the program is loaded here, beside the processes that load theirs.
    const { runBox } = await import('./box.ts');
    return await runBox({ config, early, readAgain: () => readConfig(argv, env) });
  } finally {
    early.end();
  }
}
