import { coded } from '../../common/runtime/errors.ts';
import type { HttpServer } from '../../common/runtime/http-server.ts';
import type { Callers } from './callers.ts';
import type { Calls, Interface, ServiceName } from './interface.ts';
import { serveInterface } from './serve.ts';

type AnyCalls = Calls<Interface>;

/** Where each interface is answered: in this process, or in another over HTTP. */
export class Directory {
  readonly #callers: Callers;
  readonly #here: ReadonlySet<ServiceName>;
  readonly #provided = new Map<Interface, AnyCalls>();

  constructor({ here, callers }: { here: readonly ServiceName[]; callers: Callers }) {
    this.#here = new Set(here);
    this.#callers = callers;
  }

  /** Says how an interface is answered here. */
  provide<I extends Interface>(one: I, calls: Calls<I>): void {
    this.#provided.set(one, calls as unknown as AnyCalls);
  }

  /**
   * An interface of a service, wherever that runs; one of this process may be provided later, before the first call.
   *
   * @throws CONFIG_INVALID where nobody has said where it runs.
   */
  find<I extends Interface>(one: I): Calls<I> {
    const calls = this.#here.has(one.service) ? this.#local(one) : this.#callers.of(one);
    return calls as unknown as Calls<I>;
  }

  /** Adds the routes by which other processes ask what is provided here. */
  serve(server: Pick<HttpServer, 'app' | 'draining'>): void {
    for (const [one, calls] of this.#provided) serveInterface(server, one, calls);
  }

  #local(one: Interface): AnyCalls {
    const verbs = Object.keys(one.verbs).map((verb) => {
      const call: AnyCalls[string] = async (ask, options) => {
        const calls = this.#provided.get(one)?.[verb];
        if (calls === undefined) throw coded('UNAVAILABLE', `${one.name} is not open yet`);
        return calls(ask, options);
      };
      return [verb, call] as const;
    });
    return Object.fromEntries(verbs);
  }
}
