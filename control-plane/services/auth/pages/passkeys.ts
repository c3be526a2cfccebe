import { focusOf, faultOfField, ownFault, passwordField, type FieldFault } from './fields.ts';
import { html, type Html } from './html.ts';

/**
 * Asks the device for a passkey where a form says so, and sends its answer with the form. The forms are hidden until this runs:
 * passkeys need a script, and nothing else does.
 */
export const passkeyScript = `'use strict';
for (const form of document.querySelectorAll('form[data-passkey]')) {
  if (typeof globalThis.PublicKeyCredential?.parseCreationOptionsFromJSON !== 'function') break;
  form.hidden = false;
  form.querySelector('[autofocus]')?.focus();
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const asked = JSON.parse(form.dataset.options);
    try {
      const answer = form.dataset.passkey === 'make'
        ? await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(asked) })
        : await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(asked) });
      form.elements.credential.value = JSON.stringify(answer.toJSON());
      form.submit();
    } catch {
      form.querySelector('output').textContent = 'Your device gave no passkey. Reload the page to try again.';
    }
  });
}
`;

/** A form that the script sends with the device's answer. */
function passkeyForm(
  { kind, action, options }: { kind: 'make' | 'use'; action: string; options: object },
  content: Html,
): Html {
  return html`<form
    method="post"
    action="${action}"
    hidden
    data-passkey="${kind}"
    data-options="${JSON.stringify(options)}"
  >
    <input type="hidden" name="credential" />
    ${content}
    <output class="bad" role="alert"></output>
  </form>`;
}

/** Signs in by a passkey. */
export function passkeySignIn(action: string, options: object): Html {
  return passkeyForm(
    { kind: 'use', action: `${action}/passkey`, options },
    html`<button type="submit" class="quiet">Sign in with a passkey</button>`,
  );
}

/** What a person's own page shows of passkeys. */
export interface PasskeysView {
  passkeys: readonly { id: string; name: string; createdAtMs: number }[];
  /** What a device is asked to make one by. */
  offer: object;
}

/** The part of a person's page about passkeys. */
export function passkeysPart(
  { passkeys, offer }: PasskeysView,
  { base, token, fault }: { base: string; token: Html; fault: FieldFault | undefined },
): Html {
  const [name, password] = [ownFault(fault, 'passkey-name'), ownFault(fault, 'passkey-password')];
  return html`<h2>Passkeys</h2>
    <p class="quiet">
      A passkey signs you in by your device, without password and code.
      <noscript>To make or use one your browser has to run this page’s script.</noscript>
    </p>
    ${passkeys.length === 0 ? undefined : passkeyList(passkeys, { base, token })}
    ${passkeyForm(
      { kind: 'make', action: `${base}/passkeys`, options: offer },
      html`${token} ${name.above}
        <label for="passkey-name">A name for the device</label>
        <input
          id="passkey-name"
          name="name"
          required
          maxlength="100"
          autocomplete="off"
          ${focusOf(name.of.autofocus)}
          ${faultOfField(name.of.fault)}
        />
        ${password.above}
        ${passwordField({ id: 'passkey-password', name: 'current', label: 'Your password', ...password.of })}
        <button type="submit">Make a passkey</button>`,
    )}`;
}

function passkeyList(
  passkeys: PasskeysView['passkeys'],
  { base, token }: { base: string; token: Html },
): Html {
  return html`<ul id="passkeys">
    ${passkeys.map(
      ({ id, name, createdAtMs }) =>
        html`<li>
          <span id="passkey-${id}">${name}, since ${new Date(createdAtMs).toISOString().slice(0, 10)}</span>
          <form method="post" action="${base}/passkeys/${id}/remove">
            ${token}<button type="submit" class="quiet" aria-describedby="passkey-${id}">Remove</button>
          </form>
        </li>`,
    )}
  </ul>`;
}
