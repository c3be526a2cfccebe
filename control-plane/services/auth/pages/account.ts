import type { AccountView, SessionView } from '../../../../common/contract/accounts.ts';
import { html, type Html } from './html.ts';
import { page, type Site } from './layout.ts';
import { passkeysPart, type PasskeysView } from './passkeys.ts';
import { recoveryPart, secondFactorPart, type SecondFactorView } from './second-factor.ts';

/** A person's own page: where they are signed in, and their password. */
export function accountPage(
  site: Site,
  what: {
    account: AccountView;
    sessions: readonly SessionView[];
    /** The browser that asks. */
    own: string;
    csrf: string;
    secondFactor: SecondFactorView;
    /** Absent where browsers take none. */
    passkeys: PasskeysView | undefined;
    said?: { good: boolean; text: string; recoveryCodes?: readonly string[] } | undefined;
  },
): string {
  const { account, sessions, own, csrf, said } = what;
  const base = `${site.base}/account`;
  const token = html`<input type="hidden" name="csrf" value="${csrf}" />`;
  return page(
    site,
    'Your account',
    html`<p>${account.name}, <strong>${account.email}</strong>, ${account.role}</p>
      ${said === undefined ? undefined : html`<p class="${said.good ? 'good' : 'bad'}" role="status">${said.text}</p>`}
      ${said?.recoveryCodes === undefined ? undefined : recoveryPart(said.recoveryCodes)}
      <h2>Where you are signed in</h2>
      <ul>
        ${sessions.map((session) => sessionItem({ session, isOwn: session.id === own, base, token }))}
      </ul>
      <form method="post" action="${base}/sign-out">
        ${token}<button type="submit" class="quiet">Sign out here</button>
      </form>
      <h2>New password</h2>
      <form method="post" action="${base}/password">
        ${token}
        <input name="username" value="${account.email}" autocomplete="username" readonly hidden />
        <label for="current">Your password now</label>
        <input
          id="current"
          name="current"
          type="password"
          required
          maxlength="200"
          autocomplete="current-password"
        />
        <label for="password">The new one</label>
        <input
          id="password"
          name="password"
          type="password"
          required
          minlength="12"
          maxlength="200"
          autocomplete="new-password"
          aria-describedby="rule"
        />
        <p class="quiet" id="rule">
          At least 12 characters, and nothing that is easily guessed. You stay signed in here only.
        </p>
        <button type="submit">Change it</button>
      </form>
      ${secondFactorPart(what.secondFactor, { base, token })}
      ${what.passkeys === undefined ? undefined : passkeysPart(what.passkeys, { base, token })}`,
  );
}

function sessionItem(what: { session: SessionView; isOwn: boolean; base: string; token: Html }): Html {
  const { session, isOwn, base, token } = what;
  const since = new Date(session.createdAtMs).toISOString().slice(0, 16).replace('T', ' ');
  return html`<li>
    ${session.name}, since ${since} UTC ${isOwn ? '(this one)' : ''}
    ${
      isOwn
        ? undefined
        : html`<form method="post" action="${base}/sessions/${session.id}/end">
            ${token}<button type="submit" class="quiet">End</button>
          </form>`
    }
  </li>`;
}
