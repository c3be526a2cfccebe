/** Text that is HTML already; everything else is escaped where it is put in. */
export interface Html {
  readonly html: string;
}

type Value = string | Html | readonly Html[] | undefined;

/** HTML of a template: `html\`<p>${name}</p>\``. Whatever is put in is text, unless it came of this function. */
export function html(strings: TemplateStringsArray, ...values: readonly Value[]): Html {
  const parts = strings.map((text, at) => text + (at < values.length ? render(values[at]) : ''));
  return { html: parts.join('') };
}

function render(value: Value): string {
  if (value === undefined) return '';
  if (typeof value === 'string') return escape(value);
  return 'html' in value ? value.html : value.map((part) => part.html).join('');
}

const entities: Readonly<Record<string, string>> = {
  ...{ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' },
};

function escape(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => entities[character] ?? '');
}
