import { html, type Html } from './html.ts';

/** What was wrong with what was typed. */
export function faultPart(fault: string | undefined): Html | undefined {
  return fault === undefined ? undefined : html`<p class="bad" role="alert" id="fault">${fault}</p>`;
}

/** Attributes of a field that `faultPart` speaks of: whoever comes to the field hears it (WCAG 2.2, 3.3.1). `ids` say more of it. */
export function faultOfField(fault: string | undefined, ids: readonly string[] = []): Html | undefined {
  const described = fault === undefined ? ids : ['fault', ...ids];
  if (described.length === 0) return undefined;
  return html`aria-describedby="${described.join(' ')}"
  ${fault === undefined ? undefined : html`aria-invalid="true"`}`;
}

/** Asks for a password that is known. */
export function passwordField({
  id,
  name,
  label,
  describedBy,
  fault,
}: {
  id: string;
  name: string;
  label: string;
  /** Id of the text that says more. */
  describedBy?: string;
  fault?: string | undefined;
}): Html {
  return html`<label for="${id}">${label}</label>
    <input
      id="${id}"
      name="${name}"
      type="password"
      required
      maxlength="200"
      autocomplete="current-password"
      ${faultOfField(fault, describedBy === undefined ? [] : [describedBy])}
    />`;
}

/** Asks for a password that is to be; `rule` says more than its rule. */
export function newPasswordField({
  label,
  rule,
  fault,
}: {
  label: string;
  rule: string;
  fault?: string | undefined;
}): Html {
  return html`<label for="password">${label}</label>
    <input
      id="password"
      name="password"
      type="password"
      required
      minlength="12"
      maxlength="200"
      autocomplete="new-password"
      ${faultOfField(fault, ['rule'])}
    />
    <p class="quiet" id="rule">At least 12 characters, and nothing that is easily guessed. ${rule}</p>`;
}
