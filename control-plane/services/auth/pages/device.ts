import { faultOfField, faultPart } from './fields.ts';
import { html } from './html.ts';
import { page, type Site } from './layout.ts';

/** A form of the device's code. */
export interface DeviceForm {
  action: string;
  /** What shows that the form came from here. */
  secret: string;
  code?: string | undefined;
  fault?: string | undefined;
}

/** Asks for the code that a device shows. */
export function deviceCodePage(site: Site, { action, secret, code = '', fault }: DeviceForm): string {
  const said = fault === undefined ? undefined : `That did not work: ${fault}.`;
  return page(
    { ...site, fault },
    'Connect a device',
    html`<form method="post" action="${action}">
      <input type="hidden" name="xsrf" value="${secret}" />
      ${faultPart(said)}
      <label for="code">The code that the device shows</label>
      <input
        class="code"
        id="code"
        name="user_code"
        value="${code}"
        required
        autofocus
        autocomplete="off"
        autocapitalize="characters"
        spellcheck="false"
        maxlength="20"
        ${faultOfField(fault)}
      />
      <button type="submit">Continue</button>
    </form>`,
  );
}

/** Asks whether it is this device that is to be let in. */
export function deviceConfirmPage(
  site: Site,
  { action, secret, code = '', client }: DeviceForm & { client: string },
): string {
  return page(
    site,
    'Is this your device?',
    html`<p>It calls itself <strong>${client}</strong> and shows the code <strong>${code}</strong>.</p>
      <p class="quiet">
        Go on only if you have just started this yourself. Nobody from Nearcast ever asks you to enter a code.
      </p>
      <form method="post" action="${action}">
        <input type="hidden" name="xsrf" value="${secret}" />
        <input type="hidden" name="user_code" value="${code}" />
        <button type="submit" name="confirm" value="yes">Yes, continue</button>
        <button type="submit" name="abort" value="yes" class="quiet">No</button>
      </form>`,
  );
}

/** Says that the device is let in. */
export function deviceDonePage(site: Site): string {
  return page(site, 'Done', html`<p>Your device is signed in. You may close this page.</p>`);
}

/** Says that something went wrong. */
export function failurePage(site: Site, what: string): string {
  return page(
    site,
    'That did not work',
    html`<p role="alert">${what}</p>
      <p>
        Go back to where you came from and begin again, or see
        <a href="${site.base}/account">your account</a>.
      </p>`,
  );
}
