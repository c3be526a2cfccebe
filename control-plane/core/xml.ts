/** An XML element: its name, its attributes (undefined ones are left out) and its text or children. */
export interface XmlElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string | number | undefined>>;
  readonly content: string | readonly (XmlElement | RenderedXml)[];
}

/** An element that was written before, to stand in others that are as deep. */
export interface RenderedXml {
  readonly rendered: string;
}

/** Writes an element that is so many deep in those that it will stand in. */
export function renderXml(root: XmlElement, depth: number): RenderedXml {
  const lines: string[] = [];
  write(root, '  '.repeat(depth), lines);
  return { rendered: lines.join('\n') };
}

/** Makes an element. */
export function element(
  name: string,
  attributes: XmlElement['attributes'] = {},
  content: XmlElement['content'] = [],
): XmlElement {
  return { name, attributes, content };
}

/** The document as UTF-8 text; every name and number of characters is bounded by its input, nothing is read from outside. */
export function xmlDocument(root: XmlElement): string {
  const lines = ['<?xml version="1.0" encoding="UTF-8"?>'];
  write(root, '', lines);
  return `${lines.join('\n')}\n`;
}

function write({ name, attributes, content }: XmlElement, indent: string, lines: string[]): void {
  let open = `${indent}<${name}`;
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined) open += ` ${key}="${escapeXml(String(value))}"`;
  }
  if (content.length === 0) {
    lines.push(`${open}/>`);
  } else if (typeof content === 'string') {
    lines.push(`${open}>${escapeXml(content)}</${name}>`);
  } else {
    lines.push(`${open}>`);
    for (const child of content)
      if ('rendered' in child) lines.push(child.rendered);
      else write(child, `${indent}  `, lines);
    lines.push(`${indent}</${name}>`);
  }
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};

/**
 * Text as it may stand in an element or an attribute. XML 1.0 §2.2 has no way at all to write most control characters,
 * U+FFFE, U+FFFF and lone surrogates: they become U+FFFD.
 */
export function escapeXml(text: string): string {
  return (
    text
      .toWellFormed()
      // eslint-disable-next-line no-control-regex -- control characters are what must not get through
      .replace(/[\u0000-\u001f\u007f-\u009f\ufffe\uffff]/g, '\ufffd')
      .replace(/[&<>"']/g, (character) => entities[character] ?? character)
  );
}
