/** A word as it is searched for, and where it stands in the text. */
export interface SearchWord {
  readonly word: string;
  readonly from: number;
  readonly to: number;
}

// Letters, digits, marks, apostrophes and what cannot be seen; of scripts without spaces each sign is a word.
const wordPattern =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]|(?:(?![\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}])[\p{L}\p{N}\p{M}\p{Cf}'’ʼ])+/gu;
/** The same where there is nothing but printable ASCII, in a tenth of the time. */
const asciiPattern = /[a-z0-9']+/gi;
/** Marks and signs, of which a decomposition may make more: `㈤` becomes `(五)`. */
const unheard = /[^\p{L}\p{N}]/gu;

const elision = /^(\p{L}{1,2})['’ʼ]\p{L}/u;

/** Letters that no decomposition brings to plain ones; Cyrillic and Greek as they are usually written in Latin. */
const plain: Readonly<Record<string, string>> = {
  ...{ ß: 'ss', æ: 'ae', œ: 'oe', ø: 'o', đ: 'd', ð: 'd', þ: 'th', ł: 'l', ħ: 'h', ı: 'i', ŋ: 'ng' },
  ...{ а: 'a', б: 'b', в: 'v', г: 'g', ґ: 'g', д: 'd', ђ: 'dj', е: 'e', є: 'ye', ж: 'zh', з: 'z', и: 'i' },
  ...{ і: 'i', ј: 'j', к: 'k', л: 'l', љ: 'lj', м: 'm', н: 'n', њ: 'nj', о: 'o', п: 'p', р: 'r', с: 's' },
  ...{
    т: 't',
    ћ: 'c',
    у: 'u',
    ф: 'f',
    х: 'kh',
    ц: 'ts',
    ч: 'ch',
    џ: 'dz',
    ш: 'sh',
    щ: 'shch',
    ъ: '',
    ы: 'y',
  },
  ...{ ь: '', э: 'e', ю: 'yu', я: 'ya' },
  ...{ α: 'a', β: 'v', γ: 'g', δ: 'd', ε: 'e', ζ: 'z', η: 'i', θ: 'th', ι: 'i', κ: 'k', λ: 'l', μ: 'm' },
  ...{
    ν: 'n',
    ξ: 'x',
    ο: 'o',
    π: 'p',
    ρ: 'r',
    σ: 's',
    ς: 's',
    τ: 't',
    υ: 'y',
    φ: 'f',
    χ: 'ch',
    ψ: 'ps',
    ω: 'o',
  },
};

/** A word without case, accents and apostrophes, in Latin letters where it was Cyrillic or Greek; empty where nothing of it is heard. */
export function foldWord(word: string): string {
  if (/^[a-z0-9]*$/i.test(word)) return word.toLowerCase();
  const letters = word.normalize('NFKD').toLowerCase().replaceAll(unheard, '');
  return Array.from(letters, (letter) => plain[letter] ?? letter).join('');
}

/** The words of a text, in their order, at most `most` of them. */
export function wordsOf(text: string, most: number): SearchWord[] {
  const words: SearchWord[] = [];
  for (const { 0: found, index } of text.matchAll(/[^ -~]/.test(text) ? wordPattern : asciiPattern)) {
    // What is elided is a word of its own: `d’Amélie`, `O’Brien`.
    const elided = elision.exec(found)?.[1]?.length ?? 0;
    const parts =
      elided === 0
        ? [[0, found.length]]
        : [
            [0, elided],
            [elided + 1, found.length],
          ];
    for (const [from = 0, to = 0] of parts) {
      const word = foldWord(found.slice(from, to));
      if (word !== '' && words.length < most) words.push({ word, from: index + from, to: index + to });
    }
    if (words.length === most) break;
  }
  return words;
}
