import { Command, InvalidArgumentError } from 'commander';

import { coded } from '../../common/runtime/errors.ts';
import { createOutput } from '../output/output.ts';
import type { CommandShell } from '../shell.ts';

interface DemoFlags {
  check?: boolean;
  data?: string;
  portOffset: number;
}

function parsePortOffset(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0 || value > 50_000) throw new InvalidArgumentError('0 to 50000.');
  return value;
}

/** `nearcast demo [FILE] [--check]`. */
export function demoCommand(shell: CommandShell): Command {
  return new Command('demo')
    .description('all of Nearcast on this machine: encode, fill, steer and play one video')
    .argument('[file]', 'a video; a test film is made where none is named')
    .option('--check', 'prove the loop without a person, then stop')
    .option('--data <dir>', 'where everything lives (.nearcast-demo; a fresh directory for --check)')
    .option('--port-offset <n>', 'moves every port, to run beside another demo', parsePortOffset, 0)
    .action(async (file: string | undefined, options: DemoFlags) => {
      const { runDemo } = await import('../demo/demo.ts');
      const proved = await runDemo({
        file,
        check: options.check === true,
        dataDir: options.data,
        portOffset: options.portOffset,
        env: shell.env,
        output: createOutput({
          json: false,
          stdout: process.stdout,
          stderr: process.stderr,
        }),
        signal: shell.signal,
      });
      if (!proved) throw coded('INTERNAL', 'a proof failed');
    });
}
