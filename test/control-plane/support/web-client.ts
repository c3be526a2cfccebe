import { request } from 'undici';

/** A page or a redirect as a browser without scripts gets it. */
export interface WebAnswer {
  status: number;
  url: string;
  location: string | undefined;
  text: string;
  headers: Record<string, string | string[] | undefined>;
  setCookies: readonly string[];
}

interface Cookie {
  name: string;
  value: string;
  path: string;
}

/** A browser without scripts: keeps cookies by their paths, follows nothing by itself. */
export class WebClient {
  readonly #base: string;
  #cookies: Cookie[] = [];

  readonly #headers: Readonly<Record<string, string>>;

  constructor(base: string, headers: Readonly<Record<string, string>> = {}) {
    this.#base = base;
    this.#headers = headers;
  }

  /** Cookies that it has, by name. */
  get cookies(): ReadonlyMap<string, string> {
    return new Map(this.#cookies.map(({ name, value }) => [name, value]));
  }

  /** Takes over a cookie that somebody else made. */
  plant(cookie: Cookie): void {
    this.#cookies.push(cookie);
  }

  get(url: string): Promise<WebAnswer> {
    return this.#send('GET', url);
  }

  post(url: string, fields: Readonly<Record<string, string>> = {}, accept?: string): Promise<WebAnswer> {
    return this.#send('POST', url, { body: new URLSearchParams(fields).toString(), accept });
  }

  /** Goes on while it is redirected within this site. */
  async follow(answer: WebAnswer): Promise<WebAnswer> {
    let at = answer;
    for (let hops = 0; at.location !== undefined && hops < 10; hops++) {
      const next = new URL(at.location, at.url);
      if (next.origin !== new URL(this.#base).origin) return at;
      at = await this.get(next.href);
    }
    return at;
  }

  async #send(
    method: 'GET' | 'POST',
    to: string,
    { body, accept = 'text/html' }: { body?: string; accept?: string | undefined } = {},
  ): Promise<WebAnswer> {
    const url = new URL(to, this.#base);
    const sent = this.#cookies.filter(({ path }) =>
      `${url.pathname}/`.startsWith(path === '/' ? path : `${path}/`),
    );
    const reply = await request(url, {
      method,
      headers: {
        ...this.#headers,
        accept,
        ...(sent.length > 0 && { cookie: sent.map(({ name, value }) => `${name}=${value}`).join('; ') }),
        ...(body !== undefined && { 'content-type': 'application/x-www-form-urlencoded' }),
      },
      ...(body !== undefined && { body }),
    });
    const setCookies = [reply.headers['set-cookie'] ?? []].flat();
    for (const line of setCookies) this.#take(line);
    const location = [reply.headers.location].flat()[0];
    const text = await reply.body.text();
    return { status: reply.statusCode, url: url.href, location, text, headers: reply.headers, setCookies };
  }

  #take(line: string): void {
    const [pair = '', ...attributes] = line.split(';').map((part) => part.trim());
    const at = pair.indexOf('=');
    const name = pair.slice(0, at);
    const path = attributes.find((one) => /^path=/i.test(one))?.slice(5) ?? '/';
    this.#cookies = this.#cookies.filter((one) => one.name !== name || one.path !== path);
    const isGone = attributes.some((one) => /^expires=Thu, 01 Jan 1970/i.test(one));
    if (!isGone) this.#cookies.push({ name, path, value: pair.slice(at + 1) });
  }
}
