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

/** What was wrong, and with which field of a page that has many forms, by its id. */
export interface FieldFault {
  readonly field: string;
  readonly text: string;
}

/** What stands above a field that `fault` is about, and what is said of it: the keyboard is there again. Nothing where it is about another. */
export function ownFault(
  fault: FieldFault | undefined,
  id: string,
): { above: Html | undefined; of: { fault: string | undefined; autofocus: boolean } } {
  const text = fault?.field === id ? fault.text : undefined;
  return { above: faultPart(text), of: { fault: text, autofocus: text !== undefined } };
}

/** The attribute by which the keyboard begins at a field. */
export function focusOf(autofocus: boolean): Html | undefined {
  return autofocus ? html`autofocus` : undefined;
}

/** Asks for a password that is known. */
export function passwordField({
  id,
  name,
  label,
  describedBy,
  fault,
  autofocus = false,
}: {
  id: string;
  name: string;
  label: string;
  /** Id of the text that says more. */
  describedBy?: string;
  fault?: string | undefined;
  autofocus?: boolean;
}): Html {
  return html`<label for="${id}">${label}</label>
    <input
      id="${id}"
      name="${name}"
      type="password"
      required
      maxlength="200"
      autocomplete="current-password"
      ${focusOf(autofocus)}
      ${faultOfField(fault, describedBy === undefined ? [] : [describedBy])}
    />`;
}

/** Asks for a password that is to be; `rule` says more than its rule. */
export function newPasswordField({
  label,
  rule,
  fault,
  autofocus = false,
}: {
  label: string;
  rule: string;
  fault?: string | undefined;
  autofocus?: boolean;
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
      ${focusOf(autofocus)}
      ${faultOfField(fault, ['rule'])}
    />
    <p class="quiet" id="rule">At least 12 characters, and nothing that is easily guessed. ${rule}</p>`;
}
