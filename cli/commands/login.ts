import { Command } from 'commander';

import { Me } from '../../common/contract/accounts.ts';
import { askForDeviceCode, signOut, waitForPerson } from '../sign-in.ts';
import type { CommandShell } from '../shell.ts';

/** `nearcast login`: signs in by a code that is entered in a browser. */
export function loginCommand(shell: CommandShell): Command {
  return new Command('login')
    .description('sign in on this machine, by a code that you enter in a browser')
    .action(() =>
      shell.actAnonymously(async ({ output, signIn }) => {
        const device = await askForDeviceCode(signIn);
        output.note(`Open ${device.verification_uri} in a browser and enter  ${device.user_code}`);
        output.note(`or open ${device.verification_uri_complete}`);
        await waitForPerson(signIn, device);
        output.facts({ signedIn: signIn.server }, () => {
          output.line(`You are signed in at ${signIn.server}.`);
        });
      }),
    );
}

/** `nearcast logout`: ends the sign-in, here and at the control plane. */
export function logoutCommand(shell: CommandShell): Command {
  return new Command('logout').description('end your sign-in on this machine').action(() =>
    shell.actAnonymously(async ({ output, signIn }) => {
      const ended = await signOut(signIn);
      output.facts({ ended }, () => {
        output.line(ended ? `You are signed out at ${signIn.server}.` : 'You were not signed in.');
      });
    }),
  );
}

/** `nearcast whoami`: who calls, and what it may do. */
export function whoamiCommand(shell: CommandShell): Command {
  return new Command('whoami').description('say as whom you call').action(() =>
    shell.act(async ({ api, output }) => {
      const me = await api.call({ path: '/v1/me', reply: Me });
      const scopes = me.scopes === undefined ? '' : `, scopes: ${me.scopes.join(' ')}`;
      output.facts(me, () => {
        output.line(`${me.account?.email ?? me.sub}, ${me.role}${scopes}`);
      });
    }),
  );
}
