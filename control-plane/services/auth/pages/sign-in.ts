import { faultOfField, faultPart, passwordField } from './fields.ts';
import { html } from './html.ts';
import { page, type Site } from './layout.ts';
import { passkeySignIn } from './passkeys.ts';

/** Asks for address and password. */
export function signInPage(
  site: Site,
  {
    uid,
    client,
    email = '',
    fault,
    passkey,
  }: {
    uid: string;
    client: string;
    email?: string;
    fault?: string | undefined;
    /** What a device is asked to sign in by. */
    passkey?: object | undefined;
  },
): string {
  const action = `${site.base}/oauth/sign-in/${uid}`;
  return page(
    { ...site, fault },
    'Sign in',
    html`<p class="quiet">to go on to ${client}</p>
      ${faultPart(fault)}
      <form method="post" action="${action}">
        <label for="email">Mail address</label>
        <input
          id="email"
          name="email"
          type="email"
          value="${email}"
          required
          maxlength="254"
          autocomplete="username"
          autofocus
          ${faultOfField(fault)}
        />
        ${passwordField({ id: 'password', name: 'password', label: 'Password', fault })}
        <button type="submit">Sign in</button>
      </form>
      <p><a href="${site.base}/account/forgotten">Forgotten your password?</a></p>
      ${passkey === undefined ? undefined : passkeySignIn(action, passkey)}
      <form method="post" action="${action}/cancel">
        <button type="submit" class="quiet">Cancel</button>
      </form>`,
  );
}

/** Asks for the code of an authenticator, once the password was right. */
export function codePage(
  site: Site,
  { uid, proof, fault }: { uid: string; proof: string; fault?: string | undefined },
): string {
  const action = `${site.base}/oauth/sign-in/${uid}`;
  return page(
    { ...site, fault },
    'Your code',
    html`${faultPart(fault)}
      <form method="post" action="${action}/code">
        <input type="hidden" name="proof" value="${proof}" />
        <label for="code">The code that your authenticator shows, or one of your recovery codes</label>
        <input
          class="code"
          id="code"
          name="code"
          required
          autofocus
          maxlength="40"
          inputmode="text"
          autocomplete="one-time-code"
          spellcheck="false"
          ${faultOfField(fault)}
        />
        <button type="submit">Sign in</button>
      </form>
      <form method="post" action="${action}/cancel">
        <button type="submit" class="quiet">Cancel</button>
      </form>`,
  );
}

const words: Readonly<Record<string, string>> = {
  openid: 'know who you are',
  profile: 'know your name',
  email: 'know your mail address',
  offline_access: 'stay signed in until you end it',
  read: 'read everything that you may read',
  write: 'change everything that you may change',
};

function inWords(scope: string): string {
  const [resource = '', verb] = scope.split(':');
  return words[scope] ?? `${verb === 'read' ? 'read' : 'change'} ${resource.replaceAll('-', ' ')}`;
}

/** Asks whether a program may do what it wants to. */
export function consentPage(
  site: Site,
  what: { uid: string; client: string; email: string; scopes: readonly string[] },
): string {
  const action = `${site.base}/oauth/sign-in/${what.uid}`;
  return page(
    site,
    `Let ${what.client} in?`,
    html`<p>As <strong>${what.email}</strong> it wants to:</p>
      <ul>
        ${what.scopes.map((scope) => html`<li>${inWords(scope)}</li>`)}
      </ul>
      <form method="post" action="${action}/consent"><button type="submit">Allow</button></form>
      <form method="post" action="${action}/cancel">
        <button type="submit" class="quiet">Do not allow</button>
      </form>`,
  );
}
