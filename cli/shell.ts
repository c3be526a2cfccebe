import type { CommandContext } from './context.ts';
import type { SignInContext } from './sign-in.ts';

/** What the commands share: a way to get a context, the environment, and the wish to stop. */
export interface CommandShell {
  /** Runs an action with a context made from the global options. */
  act(action: (context: CommandContext) => Promise<void>): Promise<void>;
  /** The same for calls that take no credential. */
  actAnonymously(
    action: (context: CommandContext & { readonly signIn: SignInContext }) => Promise<void>,
  ): Promise<void>;
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
}
