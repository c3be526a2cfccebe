import type { App } from '../../../common/runtime/http-app.ts';

const formBytesMax = 64 * 1024;

/** The fields of a form, each once: what comes twice is left out, as if it had not been sent. One walk: strangers send forms of any shape. */
export function fieldsOf(body: unknown): Readonly<Record<string, string | undefined>> {
  const fields = new Map<string, string | undefined>();
  for (const [name, value] of new URLSearchParams(Buffer.isBuffer(body) ? body.toString('utf8') : ''))
    fields.set(name, fields.has(name) ? undefined : value);
  const once = [...fields].filter(([, value]) => value !== undefined);
  return Object.assign(Object.create(null) as object, Object.fromEntries(once));
}

/** A scope of the app in which bodies are forms, and nothing else; they stay bytes. */
export function formScope(app: App, routes: (scope: App) => void): void {
  void app.register((scope, _options, done) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser(
      'application/x-www-form-urlencoded',
      { parseAs: 'buffer', bodyLimit: formBytesMax },
      (_request, body, parsed) => {
        parsed(null, body);
      },
    );
    routes(scope);
    done();
  });
}

/** A cookie of a request by its name. */
export function cookieOf(header: string | undefined, name: string): string | undefined {
  for (const part of (header ?? '').split(';')) {
    const at = part.indexOf('=');
    if (at > 0 && part.slice(0, at).trim() === name) return part.slice(at + 1).trim();
  }
  return undefined;
}
