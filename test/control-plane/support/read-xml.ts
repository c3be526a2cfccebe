/** An element as it was read: entities resolved, whitespace between elements dropped. */
export interface ReadElement {
  name: string;
  attributes: Record<string, string>;
  children: ReadElement[];
  text: string;
}

const token = /<\?[^?]*\?>|<\/([\w:]+)>|<([\w:]+)((?:\s+[\w:]+="[^"<]*")*)\s*(\/?)>|([^<]+)/gy;
const entities: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/** A strict reader of the XML that we write; throws at anything that is not well formed. */
export function readXml(text: string): ReadElement {
  const root: ReadElement = { name: '', attributes: {}, children: [], text: '' };
  const stack = [root];
  token.lastIndex = 0;
  let position = 0;
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    position = token.lastIndex;
    const top = stack.at(-1) ?? root;
    const [, closed, opened, attributes = '', selfClosed, content] = match;
    if (closed !== undefined) {
      if (stack.pop()?.name !== closed) throw new Error(`</${closed}> closes nothing`);
    } else if (opened !== undefined) {
      const child: ReadElement = {
        name: opened,
        attributes: readAttributes(attributes),
        children: [],
        text: '',
      };
      top.children.push(child);
      if (selfClosed !== '/') stack.push(child);
    } else if (content !== undefined) {
      top.text += content.trim() === '' ? '' : unescape(content);
    }
  }
  if (position !== text.length) throw new Error(`not well formed at ${text.slice(position, position + 40)}`);
  const [only] = root.children;
  if (stack.length !== 1 || only === undefined || root.children.length !== 1) throw new Error('not one root');
  return only;
}

function readAttributes(text: string): Record<string, string> {
  const attributes: Record<string, string> = {};
  for (const [, name = '', value = ''] of text.matchAll(/([\w:]+)="([^"]*)"/g)) {
    if (name in attributes) throw new Error(`${name} stands twice`);
    attributes[name] = unescape(value);
  }
  return attributes;
}

function unescape(text: string): string {
  // eslint-disable-next-line no-control-regex -- XML 1.0 §2.2 allows none of them
  if (/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/.test(text))
    throw new Error('a forbidden character');
  return text.replace(/&([^;\s]*);?/g, (whole, name: string) => {
    const character = entities[name];
    if (character === undefined) throw new Error(`unknown entity ${whole}`);
    return character;
  });
}

/** Every element of this name below, in document order. */
export function findAll(element: ReadElement, name: string): ReadElement[] {
  return element.children.flatMap((child) => [
    ...(child.name === name ? [child] : []),
    ...findAll(child, name),
  ]);
}

/** Children of this name. */
export function childrenOf(element: ReadElement, name: string): ReadElement[] {
  return element.children.filter((child) => child.name === name);
}
