import type { Test } from 'tap';

import { isApart } from '../../support/apart-variable.ts';
import { startApart } from './apart.ts';
import { startPlane, type PlaneOptions, type TestPlane } from './control-plane.ts';

/** Starts a control plane in one process, or with every service apart where the run is one of those. */
export function startEitherWay(t: Pick<Test, 'teardown'>, options: PlaneOptions = {}): Promise<TestPlane> {
  return isApart() ? startApart(t, options) : startPlane(t, options);
}
