import type { Avatar } from '../../../../common/contract/profiles.ts';

const eyes = '<circle cx="38" cy="50" r="5"/><circle cx="62" cy="50" r="5"/>';
const smile =
  '<path d="M38 64q12 10 24 0" fill="none" stroke="#222" stroke-width="4" stroke-linecap="round"/>';
const nose = '<path d="M45 59h10l-5 6z"/>';
const head = (fill: string): string => `<circle cx="50" cy="54" r="30" fill="${fill}"/>`;
const ears = (fill: string, left: string, right: string): string =>
  `<path d="${left}${right}" fill="${fill}"/>`;
const pointed = ['M22 44 24 14 46 30z', 'M78 44 76 14 54 30z'] as const;
const beak = '<path d="M42 58h16l-8 14z" fill="#f5a623"/>';

/** Background, and what stands on it, in a square of 100. */
const pictures: Readonly<Record<Avatar, readonly [background: string, drawing: string]>> = {
  bear: [
    '#f3d9b1',
    `<circle cx="26" cy="30" r="12" fill="#8a5a33"/><circle cx="74" cy="30" r="12" fill="#8a5a33"/>${head('#8a5a33')}<circle cx="50" cy="64" r="13" fill="#d9b38c"/>${eyes}${nose}`,
  ],
  bird: ['#bfe3f5', `${head('#2b8fc9')}<circle cx="50" cy="76" r="10" fill="#fff"/>${eyes}${beak}`],
  cat: ['#fbe3a8', `${ears('#e08a2e', ...pointed)}${head('#e08a2e')}${eyes}${nose}${smile}`],
  fish: [
    '#b9ecec',
    '<path d="M12 50Q44 14 72 50 44 86 12 50z" fill="#ef6a5a"/><path d="M68 50 92 30v40z" fill="#ef6a5a"/><circle cx="34" cy="44" r="6" fill="#fff"/><circle cx="34" cy="44" r="3"/>',
  ],
  fox: [
    '#d4edc9',
    `${ears('#d9541e', ...pointed)}${head('#d9541e')}<path d="M22 60Q50 96 78 60 62 66 50 78 38 66 22 60z" fill="#fff"/>${eyes}${nose}`,
  ],
  ghost: [
    '#3c3f6b',
    `<path d="M22 88V48a28 28 0 0 1 56 0v40l-9-9-9 9-10-9-10 9-9-9z" fill="#f5f5fb"/>${eyes}<circle cx="50" cy="66" r="6"/>`,
  ],
  moon: [
    '#1f2a52',
    '<path d="M64 14A40 40 0 1 0 64 86 34 34 0 0 1 64 14z" fill="#f6e58d"/><circle cx="42" cy="46" r="4"/>',
  ],
  owl: [
    '#dccbe8',
    `${ears('#6b4a86', ...pointed)}${head('#6b4a86')}<circle cx="38" cy="50" r="12" fill="#fff"/><circle cx="62" cy="50" r="12" fill="#fff"/>${eyes}${beak}`,
  ],
  rabbit: [
    '#f7cfdc',
    `<ellipse cx="38" cy="24" rx="8" ry="20" fill="#fff"/><ellipse cx="62" cy="24" rx="8" ry="20" fill="#fff"/>${head('#fff')}${eyes}${nose}${smile}`,
  ],
  robot: [
    '#c9d6df',
    `<path d="M50 12v16" stroke="#4a6572" stroke-width="4"/><rect x="22" y="28" width="56" height="52" rx="8" fill="#4a6572"/><g fill="#7fe7c4">${eyes}</g><path d="M36 68h28" stroke="#7fe7c4" stroke-width="4"/>`,
  ],
  star: [
    '#4b2e83',
    `<path d="M50 10 62 38 92 40 69 60 76 90 50 74 24 90 31 60 8 40 38 38z" fill="#ffd54a"/>${eyes}${smile}`,
  ],
  sun: [
    '#8fd3f4',
    `<circle cx="50" cy="54" r="40" fill="none" stroke="#ffb300" stroke-width="8" stroke-dasharray="12 13"/>${head('#ffd54a')}${eyes}${smile}`,
  ],
};

/** The picture of an avatar. */
export function avatarSvg(avatar: Avatar): string {
  const [background, drawing] = pictures[avatar];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100" role="img" aria-label="${avatar}"><rect width="100" height="100" fill="${background}"/>${drawing}</svg>\n`;
}
