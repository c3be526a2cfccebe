import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Clock } from '../../common/runtime/clock.ts';
import { coded, toProblem } from '../../common/runtime/errors.ts';
import { hasBody, type App } from '../../common/runtime/http-app.ts';
import type { Metrics } from '../../common/runtime/metrics.ts';
import { Gradient2, gradient2Defaults } from './core/gradient2.ts';
import { priorities, PriorityGate, type Priority } from './core/priority-gate.ts';
import { loadOf, type RouteLoad } from './core/route-priority.ts';
import { SampleWindow } from './core/sample-window.ts';

export interface LoadLimits {
  /** Requests that may be under way at a time, at first and never fewer. */
  requestsMin: number;
  requestsMax: number;
}

/** One request's stay behind the gate. */
interface Visit {
  readonly load: RouteLoad;
  stay: 'outside' | 'waiting' | 'inside' | 'over';
  /** Told once when a wait ends. */
  decided: (isIn: boolean) => void;
  enteredMs: number;
  insideMs: number;
  /** How many were inside when it entered. */
  inFlight: number;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** How its requests count under load; not at all where there is none. */
    load?: RouteLoad;
  }
  interface FastifyRequest {
    visit: Visit | undefined;
  }
}

// A burst that is over within this is no overload: it waits rather than be refused.
const WAIT_MS = 500;
const SWEEP_MS = 100;
const WAITING_MAX = 200;
const ANSWER_MS = 30_000;
const retryAfterS: Readonly<Record<Priority, number>> = {
  playback: 1,
  'sign-in': 1,
  browse: 2,
  background: 5,
};

/**
 * Holds the number of requests under way to what this process can answer quickly (Gradient2), the important ones first;
 * others wait half a second and are then refused with OVERLOADED. For every route that is registered from now on; those before it
 * (health, metrics) always answer. Bodies on their way in and answers on their way out hold no place. `hasRoom` is for requests that
 * hold none either, and that do not come by way of the app.
 */
export function controlLoad(
  app: App,
  { clock, metrics, limits }: { clock: Clock; metrics: Metrics; limits: LoadLimits },
): { hasRoom: (priority: Priority) => boolean } {
  const gateway = new LoadControl(clock, limits);
  const shed = measureLoad(metrics, gateway);
  const counted = countedRoutes(app);
  const refuse = (reply: FastifyReply, { load: { priority } }: Visit): void => {
    shed(priority);
    void reply
      .code(429)
      .header('retry-after', String(retryAfterS[priority]))
      .type('application/problem+json')
      .send(refusal);
  };
  app.decorateRequest('visit');
  app.addHook('onRequest', (request, reply, done) => {
    const load = counted(request);
    if (load === undefined) {
      done();
      return;
    }
    const visit = gateway.visit(load);
    request.visit = visit;
    reply.raw.once('close', () => {
      gateway.end(visit, 'untold');
    });
    gateway.enter(visit, (isIn) => {
      if (isIn) done();
      else refuse(reply, visit);
    });
  });
  app.addHook('preParsing', async (request, _reply, payload) => {
    // Who sends slowly takes nobody's place.
    if (request.visit !== undefined && hasBody(request)) gateway.leave(request.visit);
    return payload;
  });
  app.addHook('preValidation', (request, reply, done) => {
    const { visit } = request;
    if (visit?.stay !== 'outside') done();
    else
      gateway.enter(visit, (isIn) => {
        if (isIn) done();
        else refuse(reply, visit);
      });
  });
  app.addHook('preHandler', (request, _reply, done) => {
    if (request.visit?.load.holds === 'start') gateway.end(request.visit, 'untold');
    done();
  });
  app.addHook('onSend', async (request, reply) => {
    if (request.visit !== undefined) gateway.end(request.visit, reply.statusCode < 400 ? 'told' : 'untold');
  });
  return { hasRoom: (priority) => gateway.gate.hasRoom(priority) };
}

const refusal = JSON.stringify(toProblem(coded('OVERLOADED', 'ask again after the time in retry-after')));

/** Which requests count, and how: those of routes that come from now on, and those for which there is no route. */
function countedRoutes(app: App): (request: FastifyRequest) => RouteLoad | undefined {
  app.addHook('onRoute', (route) => {
    const { url, method, config } = route;
    const [first = 'GET'] = [method].flat();
    const load = config?.load ?? loadOf({ method: first, url, credential: config?.credential ?? [] });
    route.config = { ...config, load };
    // What is to be answered is answered in time, if only with TIMEOUT.
    if (load.holds === 'answer') route.handlerTimeout = ANSWER_MS;
  });
  const nowhere = loadOf({ method: 'GET', url: undefined, credential: [] });
  return (request) => (request.is404 ? nowhere : request.routeOptions.config.load);
}

function measureLoad(metrics: Metrics, gateway: LoadControl): (priority: Priority) => void {
  metrics.gauge({
    name: 'nearcast_gateway_limit_requests',
    help: 'Requests that may be under way at a time',
    collect: (gauge) => {
      gauge.set(gateway.gate.limit);
    },
  });
  metrics.gauge({
    name: 'nearcast_gateway_inside_requests',
    help: 'Requests under way by priority, long polls and streams not counted',
    labels: ['priority'],
    collect: (gauge) => {
      for (const priority of priorities) gauge.set({ priority }, gateway.gate.insideOf(priority));
    },
  });
  const shed = metrics.counter({
    name: 'nearcast_gateway_shed_total',
    help: 'Requests refused because too many were under way',
    labels: ['priority'],
  });
  return (priority) => {
    shed.inc({ priority });
  };
}

/** The gate, the limit that it learns, and the clock that both need. */
class LoadControl {
  readonly gate: PriorityGate<Visit>;
  readonly #clock: Clock;
  readonly #limit: Gradient2;
  readonly #window = new SampleWindow();
  #isSweeping = false;

  constructor(clock: Clock, { requestsMin, requestsMax }: LoadLimits) {
    this.#clock = clock;
    this.#limit = new Gradient2({ ...gradient2Defaults, limitMin: requestsMin, limitMax: requestsMax });
    this.gate = new PriorityGate({ limit: requestsMin, waitingMax: WAITING_MAX });
  }

  visit(load: RouteLoad): Visit {
    return { load, stay: 'outside', decided: () => undefined, enteredMs: 0, insideMs: 0, inFlight: 0 };
  }

  /** Lets it in now or within WAIT_MS, or refuses it; not told of a caller that goes away meanwhile. */
  enter(visit: Visit, decided: (isIn: boolean) => void): void {
    const { priority } = visit.load;
    if (this.gate.enter(priority)) {
      this.#begin(visit);
      decided(true);
    } else if (this.gate.wait(priority, visit, this.#clock.monotonicMs() + WAIT_MS)) {
      visit.stay = 'waiting';
      visit.decided = decided;
      void this.#sweep();
    } else {
      visit.stay = 'over';
      decided(false);
    }
  }

  /** Gives the place back for a while. */
  leave(visit: Visit): void {
    if (visit.stay !== 'inside') return;
    visit.insideMs += this.#clock.monotonicMs() - visit.enteredMs;
    visit.stay = 'outside';
    this.#letIn(this.gate.leave(visit.load.priority));
  }

  /** Gives the place back for good. `told`: how long it took tells of the load. */
  end(visit: Visit, kind: 'told' | 'untold'): void {
    const wasInside = visit.stay === 'inside';
    this.leave(visit);
    visit.stay = 'over';
    if (!wasInside || kind === 'untold') return;
    const sample = this.#window.add(visit.insideMs, visit.inFlight, this.#clock.monotonicMs());
    if (sample === undefined) return;
    const { roundTripMs, inFlight } = sample;
    this.#letIn(this.gate.setLimit(this.#limit.update({ roundTrip: roundTripMs, inFlight })));
  }

  #begin(visit: Visit): void {
    visit.stay = 'inside';
    visit.enteredMs = this.#clock.monotonicMs();
    visit.inFlight = this.gate.inside;
  }

  #letIn(entered: Visit[]): void {
    for (const visit of entered) {
      // In a turn of its own: an answer within this call would let the next in, and so on down the stack.
      queueMicrotask(() => {
        if (visit.stay === 'over') {
          this.#letIn(this.gate.leave(visit.load.priority));
        } else {
          this.#begin(visit);
          visit.decided(true);
        }
      });
    }
  }

  async #sweep(): Promise<void> {
    if (this.#isSweeping) return;
    this.#isSweeping = true;
    while (this.gate.waiting > 0) {
      await this.#clock.sleep(SWEEP_MS);
      for (const visit of this.gate.expire(this.#clock.monotonicMs())) {
        if (visit.stay === 'over') continue;
        visit.stay = 'over';
        visit.decided(false);
      }
    }
    this.#isSweeping = false;
  }
}
