import { sayLeft, type LeftWays } from '../letters.ts';
import { faultOfField, faultPart, newPasswordField } from './fields.ts';
import { html } from './html.ts';
import { page, type Site } from './layout.ts';

/** Asks for the address to which a link for a new password is sent. */
export function forgottenPage(site: Site, fault?: string): string {
  return page(
    { ...site, fault },
    'Forgotten your password?',
    html`${faultPart(fault)}
      <form method="post" action="${site.base}/account/forgotten">
        <label for="email">Your mail address</label>
        <input
          id="email"
          name="email"
          type="email"
          required
          maxlength="254"
          autocomplete="username"
          autofocus
          ${faultOfField(fault)}
        />
        <button type="submit">Send me a letter</button>
      </form>`,
  );
}

/** Says what happens now, whether there is such an account or not. */
export function letterSentPage(site: Site): string {
  return page(
    site,
    'Look into your mail',
    html`<p role="status">
        If there is an account with this address, a letter is on its way to it. Its link is good for half an
        hour.
      </p>
      <p class="quiet">
        Nothing there after some minutes? Look where your mail puts what it takes for advertising, or
        <a href="${site.base}/account/forgotten">ask again</a>. At most three letters are sent in an hour.
      </p>`,
  );
}

/** Asks for the new password. */
export function resetPage(site: Site, { secret, fault }: { secret: string; fault?: string }): string {
  return page(
    { ...site, fault },
    'A new password',
    html`${faultPart(fault)}
      <form method="post" action="${site.base}/account/reset">
        <input type="hidden" name="token" value="${secret}" />
        ${newPasswordField({ label: 'Your new password', rule: 'You are signed out everywhere.', fault })}
        <button type="submit">Set it</button>
      </form>`,
  );
}

/** Says that the password is another now, and what lets in without it. */
export function resetDonePage(site: Site, left: LeftWays | undefined): string {
  return page(
    site,
    'Your password is changed',
    html`<p role="status">You are signed out everywhere, and can sign in with the new password.</p>
      ${sayLeft(left).map((line) => html`<p>${line}</p>`)}
      <p><a href="${site.base}/account">Sign in</a></p>`,
  );
}

/** Asks whether the address is one's own; what follows links by itself presses no button. */
export function confirmPage(site: Site, { secret }: { secret: string }): string {
  return page(
    site,
    'Is this your address?',
    html`<p>You have followed a link in a letter.</p>
      <form method="post" action="${site.base}/account/confirm">
        <input type="hidden" name="token" value="${secret}" />
        <button type="submit">Yes, it came to my address</button>
      </form>`,
  );
}

/** Says that the address is confirmed. */
export function confirmedPage(site: Site): string {
  return page(
    site,
    'Thank you',
    html`<p role="status">Your mail address is confirmed.</p>
      <p><a href="${site.base}/account">Your account</a></p>`,
  );
}

/** Says that a link is good no more. */
export function linkOverPage(site: Site): string {
  return page(
    site,
    'This link is over',
    html`<p role="alert">It was used already, or is too old.</p>
      <p>
        For a new password <a href="${site.base}/account/forgotten">ask for another letter</a>; to confirm
        your address, do so on <a href="${site.base}/account">your account page</a>.
      </p>`,
  );
}
