/**
 * With it every service of a control plane runs by itself behind the gateway, in all tests that heed it. The suite sets it for the second
 * run of those that run both ways; `NEARCAST_TEST_APART=yes ./dev test FILE…` runs files so alone.
 */
const apartVariable = 'NEARCAST_TEST_APART';

/** Whether the services of a test's control plane are to run apart. */
export function isApart(): boolean {
  return process.env[apartVariable] !== undefined;
}

/** From now on they are, in this process and in those that it starts. */
export function goApart(): void {
  process.env[apartVariable] = 'yes';
}
