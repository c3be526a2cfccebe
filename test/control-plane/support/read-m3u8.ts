/** A tag of a playlist with its attributes (quotes taken off) and, where one follows, its URI line. */
export interface ReadTag {
  name: string;
  attributes: Record<string, string>;
  uri: string | undefined;
}

/** A strict reader of multivariant playlists: throws at a line or attribute list that is not well formed. */
export function readM3u8(text: string): ReadTag[] {
  if (!text.startsWith('#EXTM3U\n') || !text.endsWith('\n')) throw new Error('not a playlist');
  const tags: ReadTag[] = [];
  for (const line of text.split('\n')) {
    if (line === '') continue;
    // eslint-disable-next-line no-control-regex -- rfc8216bis §4.1 allows none of them
    if (/[\u0000-\u001f\u007f-\u009f]/.test(line)) throw new Error('a control character');
    if (!line.startsWith('#')) {
      const last = tags.at(-1);
      if (last?.name !== 'EXT-X-STREAM-INF' || last.uri !== undefined)
        throw new Error(`a URI of nothing: ${line}`);
      last.uri = line;
      continue;
    }
    const [name = '', rest = ''] = splitOnce(line.slice(1));
    tags.push({ name, attributes: rest.includes('=') ? readAttributes(rest) : {}, uri: undefined });
  }
  return tags;
}

function splitOnce(text: string): [string, string] {
  const at = text.indexOf(':');
  return at === -1 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

function readAttributes(text: string): Record<string, string> {
  const attributes: Record<string, string> = {};
  const pattern = /([A-Z0-9-]+)=(?:"([^"\r\n]*)"|([^",\s]+))(?:,|$)/gy;
  let position = 0;
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
    position = pattern.lastIndex;
    const [, name = '', quotedValue, bare] = match;
    if (name in attributes) throw new Error(`${name} stands twice`);
    attributes[name] = quotedValue ?? bare ?? '';
    if (position === text.length) break;
  }
  if (position !== text.length) throw new Error(`not an attribute list: ${text.slice(position)}`);
  return attributes;
}
