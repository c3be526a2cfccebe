import { spawn } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { coded, systemCode, type CodedError } from '../common/runtime/errors.ts';
import { parseJsonAs } from '../common/runtime/parse.ts';
import type { Clock } from '../common/runtime/clock.ts';
import { captionLimits, type WantedCaptions } from './core/captions.ts';
import type { Demuxer } from './core/container.ts';
import {
  captionArguments,
  coverArguments,
  encodeArguments,
  firstFramesArguments,
  probeArguments,
  scanArguments,
  sidecarArguments,
} from './core/ffmpeg-arguments.ts';
import {
  failureCodeOf,
  lastWords,
  readPacketLine,
  readProgressLineS,
  type ProcessEnd,
} from './core/ffmpeg-output.ts';
import { FirstFrames, type SideData } from './core/hdr-light.ts';
import { pictureArguments } from './core/picture-arguments.ts';
import type { PictureEncoders, PicturePlan } from './core/picture-plan.ts';
import { limitsOf, type CoverPlan, type EncodePlan } from './core/plan.ts';
import { Probe, type PacketSpan } from './core/probe.ts';

/** A source that lies in the working directory. */
export interface InputFile {
  workDirectory: string;
  name: string;
  demuxer: Demuxer;
}

export interface RunOptions {
  signal: AbortSignal;
}

export interface EncodeOptions extends RunOptions {
  /** Called twice a second with the seconds of the presentation that are done. */
  onProgressS?: (doneS: number) => void;
}

/** ffmpeg and ffprobe, confined. The only place of the encoder that starts processes. */
export interface Ffmpeg {
  probe(input: InputFile, options: RunOptions): Promise<Probe>;
  /** Reads every packet: where each stream really begins and ends. */
  scan(input: InputFile, options: RunOptions): Promise<Map<number, PacketSpan>>;
  /** What the first pictures of a stream say beside themselves. */
  firstSideData(streamIndex: number, input: InputFile, options: RunOptions): Promise<SideData[]>;
  encode(plan: EncodePlan, input: InputFile, options: EncodeOptions): Promise<void>;
  /** Makes a poster of the picture that a source brings along. */
  cover(plan: CoverPlan, input: InputFile, options: RunOptions): Promise<void>;
  /** Writes WebVTT of those captions whose numbers are wanted. */
  captions(these: WantedCaptions, input: InputFile, options: RunOptions): Promise<void>;
  /** Writes WebVTT of a file of ASS that lies beside the source. */
  sidecar(input: { workDirectory: string; number: number }, options: RunOptions): Promise<void>;
  /** Which formats of pictures it can make besides those that it always can. */
  pictureEncoders(options: RunOptions): Promise<PictureEncoders>;
  /** Whether it can make HDR renditions. */
  encodesHdr(options: RunOptions): Promise<boolean>;
  /** Makes all sizes of a picture. */
  picture(plan: PicturePlan, input: Omit<InputFile, 'demuxer'>, options: RunOptions): Promise<void>;
}

export interface FfmpegOptions {
  /** Directories to look for the programs in, as in PATH. */
  path: string;
  /** Whom the processes run as; undefined: as the encoder itself, when it is not root. */
  user: { uid: number; gid: number } | undefined;
  /** Threads of each decoder and encoder. */
  threads: number;
  addressSpaceBytesMax: number;
  /** Longest wall time of an encode, however long the source; the plan may set less. */
  encodeTimeoutMs: number;
  clock: Clock;
}

type Run = (program: 'ffmpeg' | 'ffprobe', args: readonly string[], use: Use) => Promise<void>;

interface Programs {
  ffmpeg: string;
  ffprobe: string;
  prlimit: string;
  setpriv: string;
  nice: string;
}

interface Limits {
  timeoutMs: number;
  fileSizeBytesMax: number;
}

const stderrLengthMax = 16 * 1024;
const probeReplyLengthMax = 8 * 1024 * 1024;
const lineLengthMax = 64 * 1024;
const readLimits: Limits = { timeoutMs: 600_000, fileSizeBytesMax: 0 };
/** A picture of all the pixels that are taken, ten times over. */
const coverLimits: Limits = { timeoutMs: 60_000, fileSizeBytesMax: 16 * 1024 * 1024 };
// A byte more than is taken, for what is cut off there is not to pass for whole; reading may go through a whole film.
const captionRunLimits: Limits = { timeoutMs: 600_000, fileSizeBytesMax: captionLimits.sizeBytes + 1 };
const sidecarLimits: Limits = { ...captionRunLimits, timeoutMs: 60_000 };
const pictureLimits: Limits = { timeoutMs: 120_000, fileSizeBytesMax: 16 * 1024 * 1024 };
const processesMax = 1024;
/** SVT-AV1 would write of how it is set where ffmpeg writes of what is wrong. */
const svtErrorsOnly = '1';

/**
 * Finds the programs and returns ffmpeg as this encoder may use it: unprivileged, without network (its protocols are
 * files and pipes), in its own process group, dying with the encoder, under limits of CPU time, memory, file size and
 * wall time. A run that is aborted or over time is killed with its whole group.
 *
 * @throws FFMPEG_MISSING naming what is missing and how to install it
 */
export async function openFfmpeg(options: FfmpegOptions): Promise<Ffmpeg> {
  const programs = await findPrograms(options.path);
  const run: Run = (program, args, use) => {
    const command = confine(programs, { ...options, ...use.limits, program, args });
    return runToEnd(command, { ...use, clock: options.clock });
  };
  const ask = (input: InputFile, args: readonly string[], { signal }: RunOptions): Promise<string> =>
    answerOf(run, 'ffprobe', args, { cwd: input.workDirectory, signal });
  const encoders = ({ signal }: RunOptions): Promise<string> =>
    answerOf(run, 'ffmpeg', ['-hide_banner', '-loglevel', 'error', '-encoders'], { cwd: '/', signal });
  return {
    async probe(input, options) {
      const text = await ask(input, probeArguments(input), options);
      return parseJsonAs(Probe, text, { what: 'ffprobe’s report', code: 'SOURCE_NOT_VIDEO' });
    },
    async firstSideData(streamIndex, input, options) {
      const text = await ask(input, firstFramesArguments(streamIndex, input), options);
      const what = { what: 'ffprobe’s report of pictures', code: 'SOURCE_NOT_VIDEO' } as const;
      return parseJsonAs(FirstFrames, text, what).frames.flatMap((frame) => frame.side_data_list ?? []);
    },
    async scan(input, { signal }) {
      const spans = new Map<number, PacketSpan>();
      const onStdout = splitLines((line) => {
        readPacketLine(line, spans);
      });
      const use = { cwd: input.workDirectory, signal, onStdout, limits: readLimits };
      await run('ffprobe', scanArguments(input), use);
      return spans;
    },
    async encode(plan, input, { signal, onProgressS }) {
      const onStdout = splitLines((line) => {
        const doneS = readProgressLineS(line);
        if (doneS !== undefined) onProgressS?.(doneS);
      });
      const planned = limitsOf(plan);
      const limits = { ...planned, timeoutMs: Math.min(planned.timeoutMs, options.encodeTimeoutMs) };
      const args = encodeArguments(plan, { ...input, threads: options.threads });
      await run('ffmpeg', args, { cwd: input.workDirectory, signal, onStdout, limits });
    },
    async cover(plan, input, { signal }) {
      const use = { cwd: input.workDirectory, signal, onStdout: () => undefined, limits: coverLimits };
      await run('ffmpeg', coverArguments(plan, input), use);
    },
    async captions(these, input, { signal }) {
      const use = { cwd: input.workDirectory, signal, onStdout: () => undefined, limits: captionRunLimits };
      await run('ffmpeg', captionArguments(these, input), use);
    },
    async sidecar(input, { signal }) {
      const use = { cwd: input.workDirectory, signal, onStdout: () => undefined, limits: sidecarLimits };
      await run('ffmpeg', sidecarArguments(input.number), use);
    },
    async pictureEncoders(options) {
      const text = await encoders(options);
      return new Set((['libwebp', 'libaom-av1'] as const).filter((name) => text.includes(` ${name} `)));
    },
    async encodesHdr(options) {
      return (await encoders(options)).includes(' libsvtav1 ');
    },
    async picture(plan, input, { signal }) {
      const use = { cwd: input.workDirectory, signal, onStdout: () => undefined, limits: pictureLimits };
      await run('ffmpeg', pictureArguments(plan, input), use);
    },
  };
}

/** What a program writes to standard output, as far as that is bounded. */
async function answerOf(
  run: Run,
  program: 'ffmpeg' | 'ffprobe',
  ...[args, at]: [args: readonly string[], at: Pick<Use, 'cwd' | 'signal'>]
): Promise<string> {
  let text = '';
  const onStdout = (piece: string): void => {
    if (text.length < probeReplyLengthMax) text += piece;
  };
  await run(program, args, { ...at, onStdout, limits: readLimits });
  return text;
}

async function findPrograms(path: string): Promise<Programs> {
  const find = async (name: string): Promise<string> => {
    for (const directory of path.split(delimiter).filter((part) => part !== '')) {
      const file = join(directory, name);
      const usable = await access(file, constants.X_OK).then(
        () => true,
        () => false,
      );
      if (usable) return file;
    }
    throw missing(name);
  };
  return {
    ffmpeg: await find('ffmpeg'),
    ffprobe: await find('ffprobe'),
    prlimit: await find('prlimit'),
    setpriv: await find('setpriv'),
    nice: await find('nice'),
  };
}

function missing(name: string): CodedError {
  return coded('FFMPEG_MISSING', `${name} is not in PATH; run: apt-get install -y ffmpeg util-linux`);
}

/** The command line that gives up what the program must not have, then becomes the program. */
function confine(
  programs: Programs,
  wanted: FfmpegOptions & Limits & { program: 'ffmpeg' | 'ffprobe'; args: readonly string[] },
): string[] {
  const { user } = wanted;
  // With soft and hard limit the same the kernel kills; at a soft one ffmpeg would end as if nothing were wrong.
  const cpuS = Math.ceil((wanted.timeoutMs / 1000) * Math.max(2, wanted.threads));
  return [
    programs.prlimit,
    `--cpu=${cpuS}:${cpuS}`,
    `--as=${wanted.addressSpaceBytesMax}`,
    `--fsize=${wanted.fileSizeBytesMax}`,
    '--core=0',
    '--nofile=256',
    // The limit counts all processes of a user: only for the one that is ffmpeg's own.
    ...(user === undefined ? [] : [`--nproc=${processesMax}`]),
    '--',
    programs.setpriv,
    '--no-new-privs',
    '--pdeathsig=KILL',
    ...(user === undefined ? [] : [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups']),
    ...(user === undefined ? [] : ['--bounding-set=-all', '--inh-caps=-all']),
    '--',
    programs.nice,
    '-n',
    '10',
    programs[wanted.program],
    ...wanted.args,
  ];
}

interface Use {
  cwd: string;
  signal: AbortSignal;
  onStdout: (piece: string) => void;
  limits: Limits;
}

async function runToEnd(command: readonly string[], use: Use & { clock: Clock }): Promise<void> {
  use.signal.throwIfAborted();
  const [file = '', ...args] = command;
  // Nothing of the encoder's environment is passed on: it may hold credentials.
  const env = { PATH: '/usr/bin:/bin', LC_ALL: 'C', HOME: '/nonexistent', SVT_LOG: svtErrorsOnly };
  const child = spawn(file, args, { cwd: use.cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const done = new AbortController();
  const overtime = new AbortController();
  const kill = (): void => {
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch (error) {
      if (systemCode(error) !== 'ESRCH') throw error;
    }
  };
  use.signal.addEventListener('abort', kill, { once: true });
  const watch = use.clock.sleep(use.limits.timeoutMs, { signal: done.signal }).then(
    () => {
      overtime.abort();
      kill();
    },
    () => undefined,
  );
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', use.onStdout);
  child.stderr.setEncoding('utf8').on('data', (piece: string) => {
    stderr = (stderr + piece).slice(-stderrLengthMax);
  });
  try {
    const end = await ended(child);
    use.signal.throwIfAborted();
    if (overtime.signal.aborted)
      throw coded('ENCODE_LIMIT', `it took longer than ${Math.round(use.limits.timeoutMs / 1000)} s`);
    check({ ...end, stderr });
  } finally {
    use.signal.removeEventListener('abort', kill);
    done.abort();
    await watch;
  }
}

function ended(child: ReturnType<typeof spawn>): Promise<Omit<ProcessEnd, 'stderr'>> {
  return new Promise((resolve, reject) => {
    child.once('error', (cause) => {
      const gone = systemCode(cause) === 'ENOENT';
      reject(
        gone ? missing('ffmpeg') : coded('ENCODE_FAILED', { detail: 'ffmpeg could not be started', cause }),
      );
    });
    child.once('close', (exitCode, signal) => {
      resolve({ exitCode: exitCode ?? undefined, signal: signal ?? undefined });
    });
  });
}

function check(end: ProcessEnd): void {
  // ffmpeg's muxers may meet a full disk, say so, and end as if nothing were wrong.
  if (end.exitCode === 0 && failureCodeOf(end) !== 'DISK_FULL') return;
  // nice, like a shell, says 127 when the program is not there; so does the loader for want of memory.
  if (end.exitCode === 127 && end.stderr.includes('No such file')) throw missing('ffmpeg');
  throw coded(failureCodeOf(end), lastWords(end));
}

/** Cuts text that comes in pieces into lines; what is longer than any line of ffmpeg's is dropped. */
function splitLines(onLine: (line: string) => void): (piece: string) => void {
  let rest = '';
  return (piece) => {
    const lines = (rest + piece).split('\n');
    rest = (lines.pop() ?? '').slice(0, lineLengthMax);
    lines.forEach(onLine);
  };
}
