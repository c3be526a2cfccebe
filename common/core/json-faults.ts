import { ok, refused, type Result } from './result.ts';

const OBJECT = 0x7b;
const OBJECT_END = 0x7d;
const ARRAY = 0x5b;
const ARRAY_END = 0x5d;
const COMMA = 0x2c;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Up to so many keys a list is quicker than a set. */
const FEW_KEYS = 8;

/**
 * Looks for what a JSON parser would let through and no honest writer makes: nesting above `depthMax`, a key twice in one object
 * (RFC 8259 §4: readers differ in which they take), and keys that reach an object's prototype (`__proto__`, `constructor.prototype`).
 * One pass without recursion; whether the text is JSON at all is the parser's to say. `text` is UTF-8.
 */
export function checkJsonText(text: Buffer, { depthMax }: { depthMax: number }): Result<undefined> {
  const levels: Level[] = [];
  for (let at = 0; at < text.length; at++) {
    const level = levels.at(-1);
    const byte = text[at] ?? 0;
    switch (byte) {
      case OBJECT:
      case ARRAY:
        if (levels.length >= depthMax) return refused('JSON_TOO_DEEP', `it nests deeper than ${depthMax}`);
        levels.push(new Level(byte === OBJECT, level?.key));
        break;
      case OBJECT_END:
      case ARRAY_END:
        levels.pop();
        break;
      case COMMA:
        level?.next();
        break;
      case QUOTE: {
        const end = endOfString(text, at);
        if (level?.isAtKey === true) {
          const fault = level.note(keyOf(text.subarray(at, end + 1)));
          if (fault !== undefined) return fault;
        }
        at = end;
        break;
      }
    }
  }
  return ok(undefined);
}

/** One object or array that is open. */
class Level {
  /** Whether the next string is a key. */
  isAtKey: boolean;
  /** The newest key. */
  key: string | undefined;
  readonly #isObject: boolean;
  /** The key under which this stands in the object around it. */
  readonly #under: string | undefined;
  readonly #few: string[] = [];
  #many: Set<string> | undefined;

  constructor(isObject: boolean, under: string | undefined) {
    this.#isObject = isObject;
    this.isAtKey = isObject;
    this.#under = under;
  }

  next(): void {
    this.isAtKey = this.#isObject;
  }

  /** Takes a key. @returns why it is refused. */
  note(key: string): Result<never> | undefined {
    this.isAtKey = false;
    this.key = key;
    if (key === '__proto__' || (key === 'prototype' && this.#under === 'constructor'))
      return refused('JSON_KEY_FORBIDDEN', key);
    if (!this.#add(key)) return refused('JSON_KEY_DUPLICATE', JSON.stringify(key.slice(0, 64)));
    return undefined;
  }

  #add(key: string): boolean {
    if (this.#many !== undefined) {
      const { size } = this.#many;
      return this.#many.add(key).size > size;
    }
    if (this.#few.includes(key)) return false;
    this.#few.push(key);
    if (this.#few.length > FEW_KEYS) this.#many = new Set(this.#few);
    return true;
  }
}

/** Where the string that begins at `start` has its closing quote; the end of the text where it has none. */
function endOfString(text: Buffer, start: number): number {
  for (let from = start + 1; ;) {
    const end = text.indexOf(QUOTE, from);
    if (end === -1) return text.length;
    let slashes = 0;
    while (text[end - 1 - slashes] === BACKSLASH) slashes++;
    if (slashes % 2 === 0) return end;
    from = end + 1;
  }
}

/** The text of a key with its quotes, escapes resolved where they are right. */
function keyOf(quoted: Buffer): string {
  const text = quoted.toString('utf8');
  if (!text.includes('\\')) return text.slice(1, -1);
  try {
    return String(JSON.parse(text));
  } catch {
    return text;
  }
}
