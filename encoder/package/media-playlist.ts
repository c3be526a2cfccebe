import type { FileExtension } from '../../common/core/media-types.ts';
import type { Mp4Index } from './index-mp4.ts';

/** A media file as playlists refer to it: relatively, so that the token in the path is kept (ADR 3). */
export interface MediaFile {
  file: string;
  ext: FileExtension;
  index: Mp4Index;
}

/**
 * The HLS media playlist of a single-file rendition (RFC 8216): one byte range a segment, the initialization section
 * in EXT-X-MAP. Its ranges skip the sidx.
 */
export function mediaPlaylist({ file, ext, index }: MediaFile): string {
  const uri = `${file}.${ext}`;
  const lines = index.segments.flatMap((segment) => [
    `#EXTINF:${seconds(segment.durationTicks, index.timescale)},`,
    `#EXT-X-BYTERANGE:${segment.lengthBytes}@${segment.offsetBytes}`,
    uri,
  ]);
  return playlist([...head(index), '#EXT-X-INDEPENDENT-SEGMENTS', map(uri, index), ...lines]);
}

/**
 * The I-frame playlist of the same file, for trick play (RFC 8216 §4.3.3.6): each range is a movie fragment's header
 * with the key frame that its media data begins with.
 */
export function iframePlaylist({ file, ext, index }: MediaFile): string {
  const uri = `${file}.${ext}`;
  const lines = index.segments.flatMap((segment) => [
    `#EXTINF:${seconds(segment.durationTicks, index.timescale)},`,
    `#EXT-X-BYTERANGE:${segment.firstSampleEndBytes}@${segment.offsetBytes}`,
    uri,
  ]);
  return playlist([...head(index), '#EXT-X-I-FRAMES-ONLY', map(uri, index), ...lines]);
}

/** The media playlist of captions: their one file is a segment as long as the film (RFC 8216 §3.5: without a map, its times are those of the film). */
export function captionsPlaylist(uri: string, durationS: number): string {
  return playlist([...headOf(durationS), `#EXTINF:${durationS.toFixed(6)},`, uri]);
}

function head(index: Mp4Index): string[] {
  const longestS = Math.max(...index.segments.map((segment) => segment.durationTicks / index.timescale));
  return headOf(longestS);
}

function headOf(longestS: number): string[] {
  return [
    '#EXTM3U',
    // EXT-X-MAP in a playlist that is not I-frames-only asks for version 6; fragmented MP4 is customarily 7.
    '#EXT-X-VERSION:7',
    // §4.3.3.1: no EXTINF, rounded to the nearest second, may be longer.
    `#EXT-X-TARGETDURATION:${Math.max(1, Math.round(longestS))}`,
    '#EXT-X-MEDIA-SEQUENCE:0',
    '#EXT-X-PLAYLIST-TYPE:VOD',
  ];
}

// The quotes around the range are the grammar's; Safari insists on them.
function map(uri: string, index: Mp4Index): string {
  return `#EXT-X-MAP:URI="${uri}",BYTERANGE="${index.initLengthBytes}@0"`;
}

function seconds(ticks: number, timescale: number): string {
  return (ticks / timescale).toFixed(6);
}

function playlist(lines: readonly string[]): string {
  return `${[...lines, '#EXT-X-ENDLIST'].join('\n')}\n`;
}
