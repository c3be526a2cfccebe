import type { TitlePicture } from '../../common/contract/artwork.ts';

/** Best first: a browser takes the first that it shows. */
const types = ['image/avif', 'image/webp'];

/** A title's picture in the size and format that suits the screen; `width` in CSS pixels is what it takes there. */
export function Picture({ of, alt, width }: { of: TitlePicture; alt: string; width: number }) {
  const height = Math.round((width * of.height) / of.width);
  const sources = types.filter((type) => of.sizes.some((one) => one.type === type));
  return (
    <picture>
      {sources.map((type) => (
        <source key={type} type={type} srcSet={srcSetOf(of, type)} sizes={`${width}px`} />
      ))}
      <img
        src={of.url}
        alt={alt}
        {...{ width, height }}
        loading="lazy"
        decoding="async"
        referrerPolicy="no-referrer"
      />
    </picture>
  );
}

/** What `srcset` takes of one format. */
export function srcSetOf({ url, sizes }: TitlePicture, type: string): string {
  return sizes
    .filter((one) => one.type === type)
    .map(({ name, width }) => `${new URL(name, url).href} ${width}w`)
    .join(', ');
}
