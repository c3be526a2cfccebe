import type * as ajvPackage from 'ajv';
import { createRequire } from 'node:module';

const load = createRequire(import.meta.url);

/**
 * Makes an Ajv for our own schemas. It is loaded when the first is made, which most processes never need: loading takes as long as
 * the start of Node itself.
 *
 * @param options whether it looks on after the first fault of a value, and what it may change in one.
 */
export function createAjv(
  options: Pick<ajvPackage.Options, 'allErrors' | 'useDefaults' | 'coerceTypes'> = {},
): ajvPackage.Ajv {
  const { Ajv } = load('ajv') as typeof ajvPackage;
  // strict off: TypeBox writes unions that ajv would only complain about. To check our schemas by the schema of schemas, which has to
  // be compiled for it, costs every process more than they do.
  return new Ajv({ strict: false, meta: false, validateSchema: false, ...options });
}
