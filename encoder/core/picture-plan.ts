import type { ArtworkFile, ArtworkKind } from '../../common/contract/artwork.ts';
import { isTurned } from '../../common/core/exif-orientation.ts';
import type { Picture } from '../../common/core/picture.ts';

/** Formats that ffmpeg here can make besides JPEG and PNG. */
export type PictureEncoders = ReadonlySet<'libwebp' | 'libaom-av1'>;

/** One file to make. */
export type PlannedPicture = Pick<ArtworkFile, 'ext' | 'width' | 'height'> & { readonly name: string };

/** All that is decided about a picture before ffmpeg is asked for it. */
export interface PicturePlan {
  readonly demuxer: 'jpeg_pipe' | 'png_pipe' | 'webp_pipe';
  readonly orientation: Picture['orientation'];
  /** Whether what may be seen through stays so; it is laid on black where it does not. */
  readonly keepsAlpha: boolean;
  readonly files: readonly PlannedPicture[];
}

const widths = [160, 320, 640, 1280];
/** Screens are filled with backdrops. */
const backdropWidths = [...widths, 1920];
// A size of its own for what is a little larger than another is not worth its bytes.
const apartRatio = 1.2;
// What stands far taller than wide would have its width's height: no format takes more than WebP's.
const heightMax = 8192;

/**
 * Plans the sizes of a picture: the usual widths as far as it is wider, and its own up to the largest; never enlarged. JPEG is what everything
 * shows, PNG of logos, which are seen through; WebP and AVIF (not seen through) where ffmpeg has the encoder.
 */
export function planPicture(
  picture: Pick<Picture, 'format' | 'width' | 'height' | 'orientation'>,
  { kind, encoders }: { kind: ArtworkKind; encoders: PictureEncoders },
): PicturePlan {
  const keepsAlpha = kind === 'logo';
  const exts: readonly ArtworkFile['ext'][] = [
    keepsAlpha ? 'png' : 'jpg',
    ...(encoders.has('libwebp') ? (['webp'] as const) : []),
    ...(encoders.has('libaom-av1') && !keepsAlpha ? (['avif'] as const) : []),
  ];
  const sizes = sizesOf(upright(picture), kind === 'backdrop' ? backdropWidths : widths);
  return {
    demuxer: `${picture.format}_pipe`,
    orientation: picture.orientation,
    keepsAlpha,
    files: sizes.flatMap((size) => exts.map((ext) => ({ ...size, ext, name: `${size.width}.${ext}` }))),
  };
}

function upright({ width, height, orientation }: Pick<Picture, 'width' | 'height' | 'orientation'>) {
  return isTurned(orientation) ? { width: height, height: width } : { width, height };
}

function sizesOf(
  { width, height }: { width: number; height: number },
  usual: readonly number[],
): { width: number; height: number }[] {
  const largest = Math.min(width, usual.at(-1) ?? 0, Math.floor((heightMax * width) / height));
  const smaller = usual.filter((one) => one * apartRatio <= largest);
  return [...smaller, Math.max(1, largest)].map((one) => ({
    width: one,
    height: Math.max(1, Math.round((one * height) / width)),
  }));
}
