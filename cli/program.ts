import { styleText } from 'node:util';

import { Command, CommanderError } from 'commander';

import { toCoded } from '../common/runtime/errors.ts';
import { exitCodeOf, exitCodes } from '../common/runtime/exit-codes.ts';
import { accountCommand } from './commands/account.ts';
import { applianceCommand } from './commands/appliance.ts';
import { auditCommand } from './commands/audit.ts';
import { backupCommand, restoreCommand, type RestoreTool } from './commands/backup.ts';
import { billingCommand } from './commands/billing.ts';
import { ledgerCommand } from './commands/ledger.ts';
import { clientCommand } from './commands/client.ts';
import { demoCommand } from './commands/demo.ts';
import { eventsCommand } from './commands/events.ts';
import { fillCommand } from './commands/fill.ts';
import { invoiceCommand } from './commands/invoice.ts';
import { labCommand, type CacheLab, type RecommendLab } from './commands/lab.ts';
import { loginCommand, logoutCommand, whoamiCommand } from './commands/login.ts';
import { nodeCommand } from './commands/node.ts';
import { paymentCommand } from './commands/payment.ts';
import { couponCommand, planCommand, taxCommand } from './commands/plan.ts';
import { consoleCommand, playCommand } from './commands/play.ts';
import { profileCommand } from './commands/profile.ts';
import { recommendCommand } from './commands/recommend.ts';
import { reportCommand } from './commands/report.ts';
import { routesCommand } from './commands/routes.ts';
import { sessionCommand } from './commands/session.ts';
import { subscriptionCommand } from './commands/subscription.ts';
import { statusCommand } from './commands/status.ts';
import { steerCommand } from './commands/steer.ts';
import type { SteeringLab } from './commands/steer-history.ts';
import { titleCommand } from './commands/title.ts';
import { tokenCommand } from './commands/token.ts';
import { webhookCommand } from './commands/webhook.ts';
import packageJson from '../package.json' with { type: 'json' };
import {
  createContext,
  defaultServer,
  noToken,
  readToken,
  signInContext,
  type GlobalOptions,
} from './context.ts';
import type { CommandShell } from './shell.ts';

/** What shells expect of a program that Ctrl-C ended: 128 and the signal's number. */
const interruptedExit = 130;

/** Parts of planes that commands run in this process; each is loaded when it is asked for. */
interface Labs {
  readonly cacheLab: () => Promise<CacheLab>;
  readonly recommendLab: () => Promise<RecommendLab>;
  readonly restoreTool: () => Promise<RestoreTool>;
  readonly steeringLab: () => Promise<SteeringLab>;
}

/** Runs a command line and returns its exit code; what went wrong was said on stderr. */
export async function runCommand(argv: string[], env: NodeJS.ProcessEnv, labs: Labs): Promise<number> {
  const interrupt = new AbortController();
  const onSignal = () => {
    interrupt.abort();
  };
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  const program = createProgram(env, labs, interrupt.signal);
  try {
    await program.parseAsync(argv, { from: 'user' });
    return exitCodes.ok;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    const failure = toCoded(error);
    if (failure.code === 'ABORTED' && interrupt.signal.aborted) {
      process.stderr.write('stopped\n');
      return interruptedExit;
    }
    process.stderr.write(
      `${styleText('red', 'error', { stream: process.stderr })} ${failure.code}: ${failure.message}\n`,
    );
    for (const field of failure.fields ?? []) process.stderr.write(`  ${field.path} ${field.message}\n`);
    if (failure.code === 'INTERNAL' && failure.cause instanceof Error)
      process.stderr.write(`${failure.cause.stack ?? ''}\n`);
    return exitCodeOf(failure);
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}

/** A wrong command line throws, at every depth, so that the exit code is ours. */
function throwInsteadOfExit(command: Command): Command {
  command.commands.forEach(throwInsteadOfExit);
  return command.exitOverride();
}

function createProgram(env: NodeJS.ProcessEnv, labs: Labs, signal: AbortSignal): Command {
  const program = new Command('nearcast')
    .description('Your own CDN appliance network for video.')
    .version(packageJson.version)
    .option('--server <url>', `the control plane (NEARCAST_SERVER; ${defaultServer})`)
    .option('--token-file <file>', 'a file with a token, instead of your sign-in (NEARCAST_TOKEN_FILE)')
    .option('--json', 'print JSON instead of tables')
    .showSuggestionAfterError()
    .exitOverride();
  const shell: CommandShell = {
    env,
    signal,
    act: async (action) => {
      const options = program.opts<GlobalOptions>();
      await action(createContext({ options, env, signal, token: await readToken(options, env, signal) }));
    },
    actAnonymously: async (action) => {
      const given = { options: program.opts<GlobalOptions>(), env, signal };
      await action({ ...createContext({ ...given, token: noToken }), signIn: signInContext(given) });
    },
  };
  for (const make of [
    titleCommand,
    playCommand,
    consoleCommand,
    applianceCommand,
    nodeCommand,
    fillCommand,
    reportCommand,
    eventsCommand,
    recommendCommand,
    routesCommand,
    (commandShell: CommandShell) => steerCommand(commandShell, labs.steeringLab),
    statusCommand,
    loginCommand,
    logoutCommand,
    whoamiCommand,
    accountCommand,
    profileCommand,
    tokenCommand,
    sessionCommand,
    clientCommand,
    auditCommand,
    (commandShell: CommandShell) => backupCommand(commandShell, labs.restoreTool),
    (commandShell: CommandShell) => restoreCommand(commandShell, labs.restoreTool),
    planCommand,
    couponCommand,
    taxCommand,
    subscriptionCommand,
    invoiceCommand,
    paymentCommand,
    ledgerCommand,
    billingCommand,
    webhookCommand,
    (commandShell: CommandShell) => labCommand(commandShell, labs),
    demoCommand,
  ]) {
    program.addCommand(throwInsteadOfExit(make(shell)));
  }
  program.addHelpText(
    'after',
    `
Planes, each a process of its own (--help lists its options):
  nearcast control-plane | steering | appliance | encoder

Exit codes: 0 done, 1 failed, 64 usage, 69 unavailable, 70 a bug, 73 cannot write, 75 try later, 77 not permitted, 78 configuration, 130 Ctrl-C.`,
  );
  return program;
}
