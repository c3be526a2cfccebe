import { Type, type Static, type TObject } from '../../common/contract/type.ts';

/** What may run in a process of its own. `core` is the gateway, and every service that has not been taken out of it. */
export const ServiceName = Type.Union([
  Type.Literal('core'),
  Type.Literal('search'),
  Type.Literal('playback'),
  Type.Literal('users'),
  Type.Literal('billing'),
  Type.Literal('recommendations'),
  Type.Literal('events'),
]);
export type ServiceName = Static<typeof ServiceName>;
export const serviceNames = ServiceName.anyOf.map((one) => one.const);

/** One thing that a service may be asked. */
export interface Verb {
  readonly ask: TObject;
  readonly answer: TObject;
  /** Asked twice it does no more than asked once, so a call that broke is made again. */
  readonly isRepeatable: boolean;
  /** For how long the answer may wait for something to happen. */
  readonly waitMs?: number;
  /** Largest question and answer as JSON. */
  readonly askBytesMax?: number;
  readonly answerBytesMax?: number;
}

export type Verbs = Readonly<Record<string, Verb>>;

/**
 * What one service needs of another, as data: the types of both sides, the routes that serve it and the calls over HTTP are made of it.
 * `service` is who answers.
 */
export interface Interface<V extends Verbs = Verbs> {
  readonly service: ServiceName;
  readonly name: string;
  readonly verbs: V;
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** An interface as functions, in this process or over HTTP: nobody who calls can tell which. */
export type Calls<I extends Interface> = {
  readonly [Name in keyof I['verbs']]: (
    ask: Static<I['verbs'][Name]['ask']>,
    options?: CallOptions,
  ) => Promise<Static<I['verbs'][Name]['answer']>>;
};

/** Keeps the types of an interface. */
export function defineInterface<const V extends Verbs>(one: Interface<V>): Interface<V> {
  return one;
}

/** Asks or answers nothing. */
export const Nothing = Type.Object({}, { additionalProperties: false });

/** The scope of the token that services of one control plane have; it must be said: a token without limits has not got it. */
export const internalScope = 'internal:write';

/** Where a verb is served. */
export function pathOf({ service, name }: Interface, verb: string): string {
  return `/v1/internal/${service}/${name}/${verb}`;
}
