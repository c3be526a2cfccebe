const storageKey = 'nearcast.token';

/**
 * The access token of this tab: from the address's fragment, which is removed at once so that it is neither seen nor
 * copied, afterwards from the tab's own storage. Undefined where there is none.
 */
export function takeToken(): string | undefined {
  const fragment = new URLSearchParams(window.location.hash.slice(1));
  const token = fragment.get('token');
  if (token !== null) {
    window.sessionStorage.setItem(storageKey, token);
    window.history.replaceState(undefined, '', window.location.pathname + window.location.search);
  }
  // A fresh link opened in this tab changes nothing but the fragment: no browser loads the page again for that.
  window.addEventListener('hashchange', () => {
    if (new URLSearchParams(window.location.hash.slice(1)).has('token')) window.location.reload();
  });
  return window.sessionStorage.getItem(storageKey) ?? undefined;
}
