const times =
  /^[ \t]*(\d{1,4}):(\d{1,2}):(\d{1,2})[,.](\d{1,3})[ \t]*-->[ \t]*(\d{1,4}):(\d{1,2}):(\d{1,2})[,.](\d{1,3})(?!\d)/;

/**
 * Turns SubRip into WebVTT, to be cleaned like any other. A cue ends where the next one's times stand, with its number before them, so that
 * cues without an empty line between them, and empty lines within one, are read as they are meant. Marks of ASS (`{\an8}`) are left out.
 */
export function webVttOfSubRip(text: string): string {
  const lines = text.split(/\r\n|\r|\n/);
  const blocks: string[] = [];
  let cue: { head: string; body: string[] } | undefined;
  const end = (body: readonly string[] = []): void => {
    if (cue === undefined) return;
    // An empty line would end the cue in WebVTT.
    const shown = body
      .filter((line) => line.trim() !== '')
      .map((line) => line.replaceAll(/\{\\[^{}]*\}/g, ''));
    blocks.push([cue.head, ...shown].join('\n'));
  };
  for (const line of lines) {
    const [, ...parts] = times.exec(line) ?? [];
    if (parts.length > 0) {
      end(withoutNumber(cue?.body));
      cue = { head: `${timestamp(parts.slice(0, 4))} --> ${timestamp(parts.slice(4))}`, body: [] };
    } else cue?.body.push(line);
  }
  end(cue?.body);
  return `WEBVTT\n\n${blocks.join('\n\n')}\n`;
}

/** The lines of a cue without the number of the next one behind them. */
function withoutNumber(body: readonly string[] = []): readonly string[] {
  return /^[ \t]*\d{1,9}[ \t]*$/.test(body.at(-1) ?? '') ? body.slice(0, -1) : body;
}

function timestamp([hours = '', minutes = '', seconds = '', milliseconds = '']: readonly string[]): string {
  const pair = (part: string): string => part.padStart(2, '0');
  return `${pair(hours)}:${pair(minutes)}:${pair(seconds)}.${milliseconds.padStart(3, '0')}`;
}
