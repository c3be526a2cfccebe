/** Which of a file's two representations is read: its bytes or its chunk list. */
export type ContentForm = 'content' | 'descriptor';

/** Bytes that were read, on loan until `release`. */
export interface Piece {
  readonly bytes: Uint8Array;
  /** Gives the memory back for the next read. Not to be called while anything may still look at `bytes`. */
  release(): void;
}

/** The descriptor behind a file that lies on this box as one. It may be duplicated until the loan ends. */
export interface WholeFile {
  readonly fd: number;
  /** Files of one disk have one number. */
  readonly disk: number;
}

/** A file that is open for reading. */
export interface OpenContent {
  /** Absent where its bytes come from elsewhere, or are looked at before they leave. */
  readonly whole?: WholeFile;
  readonly sizeBytes: number;
  readonly lastModifiedMs: number;
  /** Whether the byte at the position is on this box, so that reading it asks nobody else. */
  isLocal(positionBytes: number): boolean;
  /**
   * Reads from a position on: at least one byte and at most `lengthBytes`, as many as suit the store. Every byte of a
   * piece is right: what does not match the file's name is never given out (FILE_CORRUPT).
   */
  read(positionBytes: number, lengthBytes: number): Promise<Piece>;
  /** Ends the loan. Reads that are under way still end well. */
  release(): void;
}

/** What the engine serves from: a disk's files, several disks', or the blobs behind an origin. */
export interface ContentSource {
  /** Opens a file, or tells that it is not held. */
  open(file: string, form: ContentForm): Promise<OpenContent | undefined>;
  /** A file that is held was found shorter than it was: it must not be offered any longer. */
  foundCut?(file: string): void;
  /** A disk would not give bytes of a file that is held: it must not be offered any longer. */
  foundUnreadable?(file: string): void;
}
