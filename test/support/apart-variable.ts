/** With it every service of the control plane runs in a process of its own: `NEARCAST_TEST_APART=yes ./dev test test/e2e`. */
export const apartVariable = 'NEARCAST_TEST_APART';
