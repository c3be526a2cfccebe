/** A password is at least so long, in characters. */
export const passwordLengthMin = 12;
const worthMin = 10;
const runMin = 3;

// What guessing begins with: words of published lists of common passwords, and our own name.
const common = [
  ...['password', 'passwort', 'passw', 'letmein', 'welcome', 'iloveyou', 'monkey', 'dragon', 'football'],
  ...['baseball', 'basketball', 'master', 'shadow', 'sunshine', 'princess', 'secret', 'login', 'admin'],
  ...['administrator', 'operator', 'superman', 'batman', 'starwars', 'freedom', 'whatever', 'trustno'],
  ...['summer', 'winter', 'spring', 'autumn', 'hello', 'flower', 'access', 'nearcast', 'changeme', 'default'],
  ...['test', 'user', 'root', 'guest', 'server', 'company', 'internet', 'computer', 'michael', 'jennifer'],
  ...['jordan', 'hunter', 'killer', 'charlie', 'soccer', 'hockey', 'cookie', 'pepper', 'ginger', 'orange'],
  ...['purple', 'banana', 'qwerty', 'azerty', 'asdfgh', 'zxcvbn', 'qazwsx', 'london', 'berlin', 'netflix'],
];
const rows = ['qwertyuiop', 'qwertzuiop', 'azertyuiop', 'asdfghjkl', 'zxcvbnm', 'yxcvbnm', '1234567890'];
const disguises: Readonly<Record<string, string>> = {
  ...{ '0': 'o', '1': 'l', '3': 'e', '4': 'a', '5': 's', '7': 't', '@': 'a', $: 's', '!': 'i' },
};

/**
 * What is wrong with a password, as the end of "the password …"; undefined for one that will do. `about` is what others know of
 * its owner: name and address. NIST SP 800-63B §5.1.1.2: length and what is easily guessed count, not kinds of characters.
 */
export function passwordFault(password: string, about: readonly string[]): string | undefined {
  const characters = Array.from(password.normalize('NFKC').toLowerCase());
  if (characters.length < passwordLengthMin)
    return `must have at least ${String(passwordLengthMin)} characters`;
  const known = about.flatMap((text) => [text.toLowerCase(), ...text.toLowerCase().split(/[^\p{L}\p{N}]+/u)]);
  const words = [...common, ...known.filter((word) => word.length >= 4)];
  if (worthOf(characters, words) >= worthMin) return undefined;
  return 'is easily guessed: it is made of common words, names, rows of keys or repetitions; add words that have nothing to do with it';
}

/** How many characters a password is worth: a common word, a row or a repetition is worth two, whatever its length. */
function worthOf(characters: readonly string[], words: readonly string[]): number {
  const plain = characters.map((character) => disguises[character] ?? character).join('');
  const text = characters.join('');
  let worth = 0;
  for (let at = 0; at < text.length;) {
    const length = Math.max(
      wordAt(plain, at, words),
      wordAt(text, at, words),
      runAt(text, at),
      repeatAt(text, at),
    );
    worth += length >= runMin ? 2 : 1;
    at += Math.max(1, length >= runMin ? length : 1);
  }
  return worth;
}

function wordAt(text: string, at: number, words: readonly string[]): number {
  return Math.max(0, ...words.filter((word) => text.startsWith(word, at)).map((word) => word.length));
}

/** Length of what goes up or down by one, stays the same, or follows a row of keys, from `at` on. */
function runAt(text: string, at: number): number {
  let best = 1;
  for (const step of [-1, 0, 1]) {
    let end = at + 1;
    while (end < text.length && text.charCodeAt(end) - text.charCodeAt(end - 1) === step) end++;
    best = Math.max(best, end - at);
  }
  for (const row of [...rows, ...rows.map((keys) => Array.from(keys).reverse().join(''))]) {
    let end = at + runMin;
    while (end <= text.length && row.includes(text.slice(at, end))) end++;
    best = Math.max(best, end - 1 - at);
  }
  return best;
}

/** Length of the longest part from `at` on that stood before, also where it overlaps itself. */
function repeatAt(text: string, at: number): number {
  if (at === 0) return 0;
  let length = 0;
  while (at + length < text.length && text.lastIndexOf(text.slice(at, at + length + 1), at - 1) >= 0)
    length++;
  return length;
}
