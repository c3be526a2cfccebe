import type { LRUCache } from 'lru-cache';

import type { EventBatchReply } from '../../../common/contract/playback.ts';
import { growingCache } from '../../../common/core/growing-cache.ts';
import { loadCmcdDecoder, type DecodeCmcd } from '../../../common/runtime/cmcd-decoder.ts';
import { coded } from '../../../common/runtime/errors.ts';
import { readCmcdReports, type CmcdSight } from './core/cmcd-events.ts';
import type { Intake, Reporter } from './intake.ts';

/** Takes CMCD's event reports as the events that they tell of. */
export class CmcdIntake {
  readonly #intake: Intake;
  readonly #sights: LRUCache<string, CmcdSight>;
  #decoder: Promise<DecodeCmcd> | undefined;

  constructor({ intake, clientsMax }: { intake: Intake; clientsMax: number }) {
    this.#intake = intake;
    this.#sights = growingCache(clientsMax);
  }

  /** Resolves when what the lines of a body tell is on the disk. Errors: INVALID where no line is a report, those of the intake. */
  async take(lines: readonly string[], reporter: Reporter): Promise<EventBatchReply> {
    const decode = await (this.#decoder ??= loadCmcdDecoder());
    const { client } = reporter;
    const { events, unreadable, sight } = readCmcdReports(lines, { decode, sight: this.#sights.get(client) });
    if (events.length === 0 && unreadable > 0)
      throw coded('INVALID', `none of ${unreadable} lines is an event report of CMCD version 2`);
    const reply = await this.#intake.take(events, reporter);
    // Only now: a body that did not get through is sent again, and plays for as long.
    if (sight !== undefined) this.#sights.set(client, sight);
    return reply;
  }
}
