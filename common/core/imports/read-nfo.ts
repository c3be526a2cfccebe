import { ok, refused, type Result } from '../result.ts';
import { maturityOf } from './maturity.ts';
import { xmlElements, type XmlNode } from './xml-elements.ts';

/** What an NFO file is of, by its outermost element. */
export type NfoKind = 'movie' | 'tvshow' | 'episodedetails';

/** What an NFO file tells, in the words of `ImportEntry`. */
export interface Nfo {
  readonly kind: NfoKind;
  /** Fields of an entry; without a name where the file has no title. */
  readonly told: Readonly<Record<string, unknown>>;
  readonly externalIds: readonly string[];
  /** Of an episode. */
  readonly season?: number;
  readonly episode?: number;
  /** Of a show: its seasons by number, where they are named or told of. */
  readonly seasons: ReadonlyMap<number, { readonly name?: string; readonly synopsis?: string }>;
}

const charactersMax = 1024 * 1024;
const peopleMax = 100;

/**
 * Reads an NFO file as Kodi writes and reads it (https://kodi.wiki/view/NFO_files): `movie`, `tvshow` or `episodedetails`; several
 * episodes of one video stand side by side, and become one title here. Refuses IMPORT_LINE_INVALID: no XML, none of these, or only the
 * address of a page (a "parsing NFO"), which is not fetched.
 */
export function readNfo(text: string): Result<Nfo> {
  const wrong = (what: string): Result<never> => refused('IMPORT_LINE_INVALID', what);
  if (text.length > charactersMax) return wrong(`it has more than ${charactersMax} characters`);
  const elements = xmlElements(text);
  if (!elements.ok) return elements;
  const [first, ...more] = elements.value.filter(({ name }) => kinds.has(name));
  if (first === undefined)
    return wrong(`it has none of ${[...kinds].map((kind) => `<${kind}>`).join(', ')} in it`);
  const nfo = nfoOf(first);
  const others = more.filter(({ name }) => name === 'episodedetails').map(nfoOf);
  return ok(first.name === 'episodedetails' ? together([nfo, ...others]) : nfo);
}

const kinds: ReadonlySet<string> = new Set<NfoKind>(['movie', 'tvshow', 'episodedetails']);

function nfoOf(root: XmlNode): Nfo {
  const name = textOf(root, 'title');
  const original = textOf(root, 'originaltitle');
  const synopsis = textOf(root, 'plot') ?? textOf(root, 'outline');
  const [year] =
    /^\d{4}/.exec(textOf(root, 'year') ?? textOf(root, 'premiered') ?? textOf(root, 'aired') ?? '') ?? [];
  const maturity = maturityOf(textOf(root, 'mpaa') ?? '');
  // Kodi itself joins what is several by " / ".
  const genres = textsOf(root, 'genre').flatMap((genre) => genre.split(' / '));
  const people = peopleOf(root);
  const season = numberIn(root, 'season');
  const episode = numberIn(root, 'episode');
  return {
    kind: root.name as NfoKind,
    told: {
      ...(name !== undefined && { name }),
      ...(original !== undefined && original !== name && { aliases: [original] }),
      ...(synopsis !== undefined && { synopsis }),
      ...(year !== undefined && { year: Number(year) }),
      ...(maturity !== undefined && { maturity }),
      ...(genres.length > 0 && { genres }),
      ...(people.length > 0 && { people }),
    },
    externalIds: idsOf(root),
    ...(season !== undefined && { season }),
    ...(episode !== undefined && { episode }),
    seasons: seasonsOf(root),
  };
}

/** Episodes in one video: told of together, after the first. */
function together(episodes: readonly [Nfo, ...Nfo[]]): Nfo {
  const [first] = episodes;
  if (episodes.length === 1) return first;
  const all = (field: string, between: string): object => {
    const parts = episodes.flatMap(({ told }) => (typeof told[field] === 'string' ? [told[field]] : []));
    return parts.length === 0 ? {} : { [field]: parts.join(between) };
  };
  return {
    ...first,
    told: { ...first.told, ...all('name', ' / '), ...all('synopsis', '\n\n') },
    externalIds: [...new Set(episodes.flatMap(({ externalIds }) => externalIds))],
  };
}

function idsOf(root: XmlNode): string[] {
  const unique = childrenOf(root, 'uniqueid').sort(
    (one, other) =>
      Number(other.attributes['default'] === 'true') - Number(one.attributes['default'] === 'true'),
  );
  const typed = unique.map(({ attributes, text }) => [attributes['type'] ?? '', text.trim()] as const);
  // Of older files: the id of IMDb for movies, of TheTVDB for shows.
  const old = textOf(root, 'id');
  const all = [
    ...typed,
    ...(old === undefined ? [] : [[old.startsWith('tt') ? 'imdb' : 'tvdb', old] as const]),
  ];
  const ids = all
    .map(([type, id]) => [type.toLowerCase().replaceAll(/[^a-z0-9]/g, ''), id] as const)
    .filter(([type, id]) => /^[a-z][a-z0-9]{0,15}$/.test(type) && id !== '' && id.length <= 200)
    // Episodes have numbers of their own, which are not those of shows or movies.
    .map(([type, id]) => (type === 'imdb' ? `imdb:${id}` : `${type}:${kindWord(root)}${id}`));
  return [...new Set(ids)].slice(0, 8);
}

function kindWord({ name }: XmlNode): string {
  return name === 'movie' ? '' : name === 'tvshow' ? 'show/' : 'episode/';
}

function peopleOf(root: XmlNode): object[] {
  const role = (element: string, word: string): object[] =>
    textsOf(root, element).flatMap((names) => names.split(' / ').map((name) => ({ name, role: word })));
  const order = (actor: XmlNode): number => numberIn(actor, 'order') ?? Infinity;
  const actors = childrenOf(root, 'actor')
    .sort((one, other) => (order(one) === order(other) ? 0 : order(one) - order(other)))
    .flatMap((actor) => {
      const name = textOf(actor, 'name');
      const character = textOf(actor, 'role');
      return name === undefined
        ? []
        : [{ name, role: 'actor', ...(character !== undefined && { character }) }];
    });
  return [...role('director', 'director'), ...role('credits', 'writer'), ...actors].slice(0, peopleMax);
}

function seasonsOf(root: XmlNode): Nfo['seasons'] {
  const seasons = new Map<number, { name?: string; synopsis?: string }>();
  for (const [element, field] of [
    ['namedseason', 'name'],
    ['seasonplot', 'synopsis'],
  ] as const)
    for (const { attributes, text } of childrenOf(root, element)) {
      const number = attributes['number'] ?? '';
      if (!/^\d{1,4}$/.test(number) || text.trim() === '') continue;
      seasons.set(Number(number), { ...seasons.get(Number(number)), [field]: text.trim() });
    }
  return seasons;
}

function childrenOf(node: XmlNode, name: string): XmlNode[] {
  return node.children.filter((child) => child.name === name);
}

function textsOf(node: XmlNode, name: string): string[] {
  return childrenOf(node, name)
    .map(({ text }) => text.trim())
    .filter((text) => text !== '');
}

function textOf(node: XmlNode, name: string): string | undefined {
  return textsOf(node, name)[0];
}

function numberIn(node: XmlNode, name: string): number | undefined {
  const text = textOf(node, name) ?? '';
  return /^\d{1,5}$/.test(text) ? Number(text) : undefined;
}
