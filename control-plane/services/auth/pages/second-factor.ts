import { faultOfField, focusOf, ownFault, passwordField, type FieldFault } from './fields.ts';
import { html, type Html } from './html.ts';

/** What a person's own page shows of the codes of an authenticator. */
export interface SecondFactorView {
  isAsked: boolean;
  /** Whether the role may do nothing without. */
  isMissing: boolean;
  recoveryLeft: number;
  /** A key that waits for its first code. */
  pending: { key: string; uri: string; picture: Html } | undefined;
}

/** What each form of the part is made of beside its own. */
interface FormParts {
  base: string;
  /** What shows that the form came from here. */
  token: Html;
  fault: FieldFault | undefined;
}

/** The part of a person's page about codes of an authenticator. */
export function secondFactorPart(
  { isAsked, isMissing, recoveryLeft, pending }: SecondFactorView,
  parts: FormParts,
): Html {
  return html`<h2 id="codes">Codes at sign-in</h2>
    ${
      isMissing
        ? html`<p class="bad">Your role may do nothing until codes are asked for when you sign in.</p>`
        : undefined
    }
    ${isAsked ? removal(recoveryLeft, parts) : pending ? confirmation(pending, parts) : start(parts)}`;
}

/** The recovery codes, which are shown once. */
export function recoveryPart(codes: readonly string[]): Html {
  return html`<p>
      Note these down. Each lets you in once, with your password, when your authenticator is lost; they are
      not shown again.
    </p>
    <ul id="recovery">
      ${codes.map((code) => html`<li><code>${code}</code></li>`)}
    </ul>`;
}

function start({ base, token, fault }: FormParts): Html {
  const password = ownFault(fault, 'totp-password');
  return html`<form method="post" action="${base}/totp">
    ${token}
    <p class="quiet" id="totp-rule">
      An app on your phone shows a new code every half a minute, which is asked for after the password.
    </p>
    ${password.above}
    ${passwordField({ id: 'totp-password', name: 'current', label: 'Your password', describedBy: 'totp-rule', ...password.of })}
    <button type="submit">Set up codes</button>
  </form>`;
}

function confirmation(
  { key, uri, picture }: NonNullable<SecondFactorView['pending']>,
  { base, token, fault }: FormParts,
): Html {
  return html`<p>
      Let your authenticator see this picture, <a href="${uri}">open the link</a> on the phone that has it, or
      type in the key:
    </p>
    ${picture}
    <p><code id="totp-key">${key.match(/.{4}/g)?.join(' ')}</code></p>
    <p class="quiet"><code id="totp-uri">${uri}</code></p>
    <form method="post" action="${base}/totp/confirm">
      ${token}${codeField('The code that it shows', fault)}<button type="submit">
        Ask for codes from now on
      </button>
    </form>`;
}

function removal(recoveryLeft: number, { base, token, fault }: FormParts): Html {
  return html`<p>A code is asked for when you sign in. ${String(recoveryLeft)} recovery codes are left.</p>
    <form method="post" action="${base}/totp/remove">
      ${token}${codeField('A code, to end that', fault)}<button type="submit" class="quiet">
        Ask for codes no more
      </button>
    </form>`;
}

function codeField(label: string, fault: FieldFault | undefined): Html {
  const own = ownFault(fault, 'totp-code');
  return html`${own.above}<label for="totp-code">${label}</label>
    <input
      class="code"
      id="totp-code"
      name="code"
      required
      maxlength="40"
      autocomplete="one-time-code"
      spellcheck="false"
      ${focusOf(own.of.autofocus)}
      ${faultOfField(own.of.fault)}
    />`;
}
