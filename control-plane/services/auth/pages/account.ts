import type { AccountView, SessionView } from '../../../../common/contract/accounts.ts';
import { faultPart, newPasswordField, ownFault, passwordField } from './fields.ts';
import { html, type Html } from './html.ts';
import { page, type Site } from './layout.ts';
import { passkeysPart, type PasskeysView } from './passkeys.ts';
import { recoveryPart, secondFactorPart, type SecondFactorView } from './second-factor.ts';

/** What came of a change, or was wrong with it: with one field, where it can be said which. */
export type AccountNews =
  | { readonly good: true; readonly text: string; readonly recoveryCodes?: readonly string[] | undefined }
  | { readonly good: false; readonly text: string; readonly field?: string | undefined };

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
    said?: AccountNews | undefined;
  },
): string {
  const { account, sessions, own, csrf, said } = what;
  const base = `${site.base}/account`;
  const token = html`<input type="hidden" name="csrf" value="${csrf}" />`;
  const fault =
    said?.good === false && said.field !== undefined ? { field: said.field, text: said.text } : undefined;
  const [now, next] = [ownFault(fault, 'current'), ownFault(fault, 'password')];
  const parts = html`<h2>Where you are signed in</h2>
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
      ${now.above} ${passwordField({ id: 'current', name: 'current', label: 'Your password now', ...now.of })}
      ${next.above}
      ${newPasswordField({ label: 'The new one', rule: 'You stay signed in here only.', ...next.of })}
      <button type="submit">Change it</button>
    </form>
    ${secondFactorPart(what.secondFactor, { base, token, fault })}
    ${what.passkeys === undefined ? undefined : passkeysPart(what.passkeys, { base, token, fault })}`;
  // A field may have gone from the page meanwhile: then it is said at the top.
  const isAtField = parts.html.includes('id="fault"');
  return page(
    { ...site, fault: said?.good === false ? said.text : undefined },
    'Your account',
    html`<p>${account.name}, <strong>${account.email}</strong>, ${account.role}</p>
      ${said === undefined || isAtField ? undefined : newsPart(said)}
      ${account.emailConfirmedAtMs === undefined ? confirmPart({ base, token }) : undefined} ${parts}`,
  );
}

function newsPart(said: AccountNews): Html {
  if (!said.good) return html`${faultPart(said.text)}`;
  const { text, recoveryCodes } = said;
  return html`<p class="good" role="status">${text}</p>
    ${recoveryCodes === undefined ? undefined : recoveryPart(recoveryCodes)}`;
}

function confirmPart({ base, token }: { base: string; token: Html }): Html {
  return html`<form method="post" action="${base}/confirm-letter">
    ${token}
    <p class="quiet">Nobody has confirmed yet that this mail address is yours.</p>
    <button type="submit" class="quiet">Send me a letter with a link for it</button>
  </form>`;
}

function sessionItem(what: { session: SessionView; isOwn: boolean; base: string; token: Html }): Html {
  const { session, isOwn, base, token } = what;
  const since = new Date(session.createdAtMs).toISOString().slice(0, 16).replace('T', ' ');
  return html`<li>
    <span id="${session.id}">${session.name}, since ${since} UTC</span> ${isOwn ? '(this one)' : ''}
    ${
      isOwn
        ? undefined
        : html`<form method="post" action="${base}/sessions/${session.id}/end">
            ${token}<button type="submit" class="quiet" aria-describedby="${session.id}">End</button>
          </form>`
    }
  </li>`;
}
