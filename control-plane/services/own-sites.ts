import { coded } from '../../common/runtime/errors.ts';
import type { Caller } from '../../common/runtime/http-credential.ts';

/** Whether the caller may see what is at a site: a partner what is at its own, of the others whoever the route lets in. */
export function seesSite(caller: Caller, site: string | undefined): boolean {
  if (caller.kind !== 'access' || caller.role !== 'partner') return true;
  return site !== undefined && caller.sites?.includes(site) === true;
}

/** The site that a view is about: a partner's must be one of its own, and may be left out where there is one. FORBIDDEN. */
export function siteAsked(caller: Caller, site: string | undefined): string | undefined {
  if (caller.kind !== 'access' || caller.role !== 'partner') return site;
  const [only, ...more] = caller.sites ?? [];
  const asked = site ?? (more.length === 0 ? only : undefined);
  if (asked !== undefined && seesSite(caller, asked)) return asked;
  throw coded('FORBIDDEN', `name one of your sites: ${caller.sites?.join(', ') ?? ''}`);
}
