const threads = '24';

/**
 * The environment with threads enough for files (Node has four for the whole process): a disk that hangs keeps those that
 * wait for it, and the others must go on. Counts only for a process that has not used them yet.
 */
export function withFileThreads(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return { ...env, UV_THREADPOOL_SIZE: env['UV_THREADPOOL_SIZE'] ?? threads };
}
