import { ok, refused, type Result } from '../../../../common/core/result.ts';

const loopback = new Set(['127.0.0.1', '[::1]']);
// RFC 8252 §7.1: an app's own scheme is a domain name backwards, so that it has a dot, which none that browsers know has.
const ownScheme = /^[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+:$/;
// eslint-disable-next-line no-control-regex -- control characters are what is refused
const strange = /[\s\\*"'<>`{}|^\u0000-\u001f\u007f-\u{10ffff}]/u;

/**
 * Whether people may be sent back to an address: https, http to this machine's loopback, or an app's own scheme; exact, without
 * wildcards, fragment, user or anything that two parsers could read differently (RFC 9700 §2.1, RFC 8252).
 */
export function checkRedirectUri(text: string): Result<string> {
  const no = (why: string) => refused('INVALID', `redirectUris: ${text.slice(0, 100)} ${why}`);
  if (strange.test(text)) return no('has a character that does not belong there');
  const url = URL.parse(text);
  if (url === null) return no('is no address');
  if (text.includes('#')) return no('has a fragment');
  if (url.username !== '' || url.password !== '' || /^[a-z+.-]+:\/\/[^/?#]*@/i.test(text))
    return no('names a user');
  if (url.protocol === 'http:' && !loopback.has(url.hostname))
    return no('is http, but not of this machine: take https');
  if (!['https:', 'http:'].includes(url.protocol) && !ownScheme.test(url.protocol))
    return no('has a scheme that is neither https nor an app’s own, like com.example.app:');
  // What a parser tidies up is not what would be compared.
  const isTidy = url.href === text || url.href === `${text}/`;
  return isTidy && !/%(2e|2f|5c)/i.test(text) ? ok(text) : no(`is not written as ${url.href}`);
}
