import { coded } from '../../common/runtime/errors.ts';

/** What a disk is told apart by: where it is, and what its label says. */
export interface Identity {
  readonly directory?: string;
  readonly id?: string;
}

/** Which configured path has which disk, so that one that is reached by two is used once. */
export class Claims {
  readonly #owners = new Map<string, { readonly path: string }>();

  /** @throws DISK_TWICE naming the path that has it. */
  claim(owner: { readonly path: string }, { directory, id }: Identity): void {
    const name = directory === undefined ? `disk ${id ?? ''}` : `directory ${directory}`;
    const other = this.#owners.get(name);
    if (other !== undefined && other !== owner) {
      const why =
        directory === undefined ? `has the same id, ${id ?? ''}: one is a copy` : 'is the same directory';
      throw coded('DISK_TWICE', `${other.path} ${why}; configure one of them`);
    }
    this.#owners.set(name, owner);
  }

  release(owner: { readonly path: string }): void {
    for (const [name, other] of this.#owners) if (other === owner) this.#owners.delete(name);
  }
}
