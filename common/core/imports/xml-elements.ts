import { ok, refused, type Result } from '../result.ts';

/** An element as it was read: its text is that of its own, without that of its children. */
export interface XmlNode {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly XmlNode[];
  readonly text: string;
}

interface OpenNode extends XmlNode {
  readonly children: OpenNode[];
  text: string;
}

const depthMax = 32;
const elementsMax = 20_000;
const token =
  /<!--[\s\S]*?-->|<!\[CDATA\[([\s\S]*?)\]\]>|<\?[\s\S]*?\?>|<(!)|<\/([\w:.-]+)\s*>|<([\w:.-]+)((?:\s+[\w:.-]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(\/?)>|([^<]+)/gy;
const attribute = /([\w:.-]+)\s*=\s*(?:"([^"<]*)"|'([^'<]*)')/g;
const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/**
 * The elements of an XML text of which there may be several side by side, with other text around them, as people's players write it
 * (see `readNfo`). Only the entities of XML itself and numbered characters are replaced: declarations of others, which could name files
 * or swell, are refused as everything else that is not well formed, by its line.
 */
export function xmlElements(text: string): Result<readonly XmlNode[]> {
  const root: OpenNode = { name: '', attributes: {}, children: [], text: '' };
  const stack = [root];
  let position = text.startsWith('\ufeff') ? 1 : 0;
  let elements = 0;
  const wrong = (what: string): Result<never> =>
    refused('IMPORT_LINE_INVALID', `line ${text.slice(0, position).split('\n').length}: ${what}`);
  token.lastIndex = position;
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    const top = stack.at(-1) ?? root;
    const [, data, declared, closed, opened, attributes = '', slash, content] = match;
    if (declared !== undefined) return wrong('declarations are not taken');
    if (closed !== undefined) {
      if (stack.length === 1 || top.name !== closed) return wrong(`</${closed}> closes nothing`);
      stack.pop();
    } else if (opened !== undefined) {
      if (++elements > elementsMax) return wrong(`there are more than ${elementsMax} elements`);
      if (stack.length > depthMax) return wrong(`elements stand in one another more than ${depthMax} deep`);
      const node: OpenNode = { name: opened, attributes: attributesOf(attributes), children: [], text: '' };
      top.children.push(node);
      if (slash !== '/') stack.push(node);
    } else top.text += data ?? unescaped(content ?? '');
    position = token.lastIndex;
  }
  if (position < text.length) return wrong('this is no XML');
  if (stack.length > 1) return wrong(`<${stack.at(-1)?.name ?? ''}> is never closed`);
  return ok(root.children);
}

function attributesOf(text: string): Record<string, string> {
  const found = [...text.matchAll(attribute)].map(([, name = '', double, single]) => [
    name,
    unescaped(double ?? single ?? ''),
  ]);
  return Object.fromEntries(found) as Record<string, string>;
}

// What is no entity stays as it is: many write a bare ampersand.
function unescaped(text: string): string {
  return text.replaceAll(/&(#\d{1,7}|#x[\da-fA-F]{1,6}|\w{2,4});/g, (whole, name: string) => {
    if (!name.startsWith('#')) return entities[name] ?? whole;
    const code = name.startsWith('#x') ? Number.parseInt(name.slice(2), 16) : Number(name.slice(1));
    return code > 0x10ffff ? whole : String.fromCodePoint(code);
  });
}
