import { html, type Html } from './html.ts';

/** Asks for a password that is known. */
export function passwordField({
  id,
  name,
  label,
  describedBy,
}: {
  id: string;
  name: string;
  label: string;
  /** Id of the text that says more. */
  describedBy?: string;
}): Html {
  return html`<label for="${id}">${label}</label>
    <input
      id="${id}"
      name="${name}"
      type="password"
      required
      maxlength="200"
      autocomplete="current-password"
      ${describedBy === undefined ? undefined : html`aria-describedby="${describedBy}"`}
    />`;
}

/** Asks for a password that is to be; `rule` says more than its rule. */
export function newPasswordField({ label, rule }: { label: string; rule: string }): Html {
  return html`<label for="password">${label}</label>
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
    <p class="quiet" id="rule">At least 12 characters, and nothing that is easily guessed. ${rule}</p>`;
}
