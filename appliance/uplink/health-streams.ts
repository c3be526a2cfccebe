import type { SteeringNodes } from '../../common/contract/health.ts';
import type { Component } from '../../common/runtime/lifecycle.ts';
import { HealthStream, type HealthStreamOptions } from './health-stream.ts';

export type HealthStreamsOptions = Omit<HealthStreamOptions, 'node'>;

interface Open {
  readonly stream: HealthStream;
  readonly leave: AbortController;
  readonly done: Promise<void>;
}

/** The streams to all steering nodes that the control plane has named. They outlast a drain, which they have to tell of. */
export class HealthStreams {
  readonly component: Component;
  readonly #options: HealthStreamsOptions;
  readonly #open = new Map<string, Open>();
  #nodes: SteeringNodes = [];
  #isRunning = false;

  constructor(options: HealthStreamsOptions) {
    this.#options = options;
    this.component = {
      name: 'health-streams',
      start: () => {
        this.#isRunning = true;
        this.setNodes(this.#nodes);
      },
      stop: async () => {
        this.#isRunning = false;
        await Promise.all([...this.#open.values()].map((open) => this.#close(open)));
      },
    };
  }

  /** Keeps streams to exactly these from now on. */
  setNodes(nodes: SteeringNodes): void {
    this.#nodes = nodes;
    if (!this.#isRunning) return;
    const wanted = new Map(nodes.filter(({ url }) => URL.canParse(url)).map((node) => [node.id, node]));
    for (const open of this.#open.values()) {
      if (wanted.get(open.stream.node.id)?.url !== open.stream.node.url) void this.#close(open);
    }
    for (const node of wanted.values()) if (!this.#open.has(node.id)) this.#start(node);
  }

  /** Something has changed that steering should know of now. */
  hurry(): void {
    for (const { stream } of this.#open.values()) stream.hurry();
  }

  #start(node: SteeringNodes[number]): void {
    const stream = new HealthStream({ ...this.#options, node });
    const leave = new AbortController();
    this.#open.set(node.id, { stream, leave, done: stream.run(leave.signal) });
  }

  #close({ stream, leave, done }: Open): Promise<void> {
    this.#open.delete(stream.node.id);
    leave.abort();
    return done;
  }
}
