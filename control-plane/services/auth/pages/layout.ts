import { html, type Html } from './html.ts';

/** Where the pages are: the path of the public URL, before which a proxy may have put one. */
export interface Site {
  base: string;
  /** Whether the page asks for passkeys, which takes a script; nothing else on any page does. */
  hasScript?: boolean;
}

/** A whole page. One with a fault says so in its title, which is read first. */
export function page(
  { base, hasScript, fault }: Site & { fault?: string | undefined },
  title: string,
  body: Html,
): string {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${fault === undefined ? '' : 'Error: '}${title} – Nearcast</title>
        <link rel="stylesheet" href="${base}/oauth/style.css" />
        ${hasScript === true ? html`<script src="${base}/oauth/passkey.js" defer></script>` : undefined}
      </head>
      <body>
        <main>
          <h1>${title}</h1>
          ${body}
        </main>
      </body>
    </html> `.html;
}

/**
 * What a browser may do with these pages. Browsers hold the redirects behind a form to `form-action` too, so a form that leads back to
 * a program needs that program's address.
 */
export function policyOf({
  formTargets = [],
  hasScript = false,
}: { formTargets?: readonly string[]; hasScript?: boolean } = {}): string {
  const forms = ["'self'", ...formTargets].join(' ');
  const scripts = hasScript ? " script-src 'self';" : '';
  return `default-src 'none';${scripts} style-src 'self'; form-action ${forms}; base-uri 'none'; frame-ancestors 'none'`;
}

/** The source of a redirect's target for a policy: its origin, or the scheme of an app's own. */
export function formTarget(redirectUri: unknown): string[] {
  const url = typeof redirectUri === 'string' ? URL.parse(redirectUri) : null;
  if (url === null) return [];
  return [url.origin === 'null' ? url.protocol : url.origin];
}

/** The pages' looks: colours are properties, so that a theme sets them alone. Edges of what is typed into and pressed stand out by 3 to 1, text by 4.5 to 1 (WCAG 2.2, 1.4.3 and 1.4.11). */
export const style = `:root {
  color-scheme: light dark;
  --ground: light-dark(#f6f7f9, #14171c);
  --paper: light-dark(#fff, #1d2229);
  --ink: light-dark(#1b2026, #e8ebef);
  --quiet: light-dark(#59636e, #a3adb8);
  --accent: light-dark(#0b5fc4, #76b3ff);
  --on-accent: light-dark(#fff, #0b1420);
  --bad: light-dark(#a8201a, #ff9d97);
  --good: light-dark(#17683a, #8bd8a8);
  --line: light-dark(#c9d0d8, #3b434d);
  --edge: light-dark(#7d8792, #737e8a);
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
main { max-width: 30rem; margin: 8vh auto; padding: 1.5rem; background: var(--paper); border: 1px solid var(--line); border-radius: .5rem; }
h1 { margin: 0 0 1rem; font-size: 1.4rem; }
h2 { margin: 2rem 0 .5rem; font-size: 1.1rem; }
label { display: block; margin: 1rem 0 .25rem; }
input:not([type=hidden]) { width: 100%; padding: .6rem; font: inherit; color: inherit; background: var(--ground); border: 1px solid var(--edge); border-radius: .25rem; }
input.code { font-size: 1.5rem; letter-spacing: .15em; text-transform: uppercase; }
button { margin-top: 1rem; padding: .6rem 1.2rem; font: inherit; color: var(--on-accent); background: var(--accent); border: 1px solid var(--accent); border-radius: .25rem; cursor: pointer; }
button.quiet { color: var(--accent); background: none; border: 1px solid var(--edge); }
a { color: var(--accent); display: inline-block; min-height: 1.5rem; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
svg.code { width: 12rem; display: block; }
.bad { color: var(--bad); }
.good { color: var(--good); }
.quiet { color: var(--quiet); }
ul { padding-left: 1.2rem; }
li form { display: inline; }
li button { margin: 0 0 0 .5rem; padding: .1rem .6rem; }
`;
