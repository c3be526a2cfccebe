import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { access, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { freePort } from './free-port.ts';
import { stopChild } from './go-tool.ts';

const run = promisify(execFile);
const version = '2.19.4';
const artifact = `org.opensearch.distribution.integ-test-zip:opensearch:${version}:zip`;
const downloadTimeoutMs = 200_000;
const startTimeoutMs = 120_000;
/** With it tests ask that server instead of one of their own: `http://127.0.0.1:9200`. Their indices begin with `nearcast-test-`. */
const urlVariable = 'NEARCAST_TEST_OPENSEARCH_URL';

/** A real OpenSearch server. */
export interface OpenSearchTestServer {
  /** Without a slash at its end. */
  readonly url: string;
  stop(): Promise<void>;
}

/**
 * The server that NEARCAST_TEST_OPENSEARCH_URL names, else one of its own on loopback; a sentence that says why not where neither can be had.
 * Its own needs Java 17 and Maven, comes from Maven Central once (56 MB, into ~/.cache/nearcast-test-tools), and holds its data in /tmp.
 */
export async function startOpenSearch(): Promise<OpenSearchTestServer | string> {
  const named = process.env[urlVariable];
  if (named !== undefined && named !== '')
    return { url: named.replace(/\/+$/, ''), stop: () => Promise.resolve() };
  const home = await distribution();
  if (!home.startsWith('/')) return `no OpenSearch here (${home}); set ${urlVariable}`;
  const base = await mkdtemp(join(tmpdir(), 'nearcast-opensearch-'));
  const [port, inner] = [await freePort(), await freePort()];
  await mkdir(join(base, 'config'));
  const settings = {
    ...{ 'cluster.name': base, 'discovery.type': 'single-node', 'network.host': '127.0.0.1' },
    ...{ 'http.port': port, 'transport.port': inner, 'path.data': join(base, 'data') },
    // A test's machine may be nearly full.
    ...{ 'path.logs': join(base, 'logs'), 'cluster.routing.allocation.disk.threshold_enabled': false },
  };
  await writeFile(join(base, 'config', 'opensearch.yml'), JSON.stringify(settings));
  await writeFile(join(base, 'config', 'log4j2.properties'), 'status = error\nrootLogger.level = error\n');
  const server = spawn(...javaCommand(home, base), { stdio: 'ignore' });
  const stop = async (): Promise<void> => {
    await stopChild(server);
    await rm(base, { recursive: true, force: true });
  };
  const url = `http://127.0.0.1:${port}`;
  if (await isUp(url, server)) return { url, stop };
  await stop();
  return 'OpenSearch did not start';
}

/** It refuses to run as root, so root starts it in a user namespace of its own, in which it is nobody. */
function javaCommand(home: string, base: string): [command: string, args: string[]] {
  const java = [
    ...['java', '-Xms384m', '-Xmx384m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto'],
    ...['-Djava.security.manager=allow', `-Djava.io.tmpdir=${base}`, '-Djava.awt.headless=true'],
    ...[`-Dopensearch.path.home=${home}`, `-Dopensearch.path.conf=${join(base, 'config')}`],
    ...['-cp', join(home, 'lib', '*'), 'org.opensearch.bootstrap.OpenSearch'],
  ];
  const command = process.getuid?.() === 0 ? ['unshare', '--user', ...java] : java;
  return [command[0] ?? '', command.slice(1)];
}

/** Where the distribution is, or why it cannot be had. */
async function distribution(): Promise<string> {
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'nearcast-test-tools');
  const home = join(cache, `opensearch-${version}`);
  if (await exists(join(home, 'lib'))) return home;
  await mkdir(cache, { recursive: true });
  const download = await mkdtemp(join(cache, 'opensearch-'));
  try {
    await run('java', ['-version']);
    const goal = ['-q', '-B', 'dependency:copy', `-Dartifact=${artifact}`, `-DoutputDirectory=${download}`];
    await run('mvn', goal, { cwd: download, timeout: downloadTimeoutMs });
    await run('unzip', ['-q', join(download, `opensearch-${version}.zip`), '-d', download]);
    // Two tests may come for it at once: the first one's stays.
    await rename(join(download, `opensearch-${version}`), home).catch(async (error: unknown) => {
      if (!(await exists(join(home, 'lib')))) throw error;
    });
    return home;
  } catch (error) {
    return error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
  } finally {
    await rm(download, { recursive: true, force: true });
  }
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

/** Whether the server answers before it exits or its time is over. */
async function isUp(url: string, server: ChildProcess): Promise<boolean> {
  const deadline = performance.now() + startTimeoutMs;
  while (server.exitCode === null && performance.now() < deadline) {
    const answer = await fetch(`${url}/_cluster/health`).catch(() => undefined);
    if (answer?.ok === true) return true;
    await delay(100);
  }
  return false;
}
