import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { freePort } from '../../support/free-port.ts';
import { makeCertificate, type Content } from './content.ts';
import type { Programs } from './programs.ts';
import { pinnedTo, processTree, start, untilListening, type Protocol, type Server } from './server.ts';

const pathInFolder = (file: string): string => `/${file}.mp4`;

/** What is said about a peer in the report. */
export function peerVersions(): string {
  const said = execFileSync('sh', ['-c', 'nginx -V 2>&1 | head -n 2; varnishd -V 2>&1 | head -n 1'], {
    encoding: 'utf8',
  });
  const nginx = /nginx\/\S+/.exec(said)?.[0] ?? 'nginx';
  const openssl = /running with (OpenSSL \S+)/.exec(said)?.[1] ?? /built with (OpenSSL \S+)/.exec(said)?.[1];
  return `${nginx} with ${openssl ?? 'an unknown OpenSSL'}, ${/varnish-\S+/.exec(said)?.[0] ?? 'no varnish'}`;
}

/**
 * nginx as its experts configure it for large files. `threads`: reads by a pool of threads, so that a cold disk does not
 * stop it. Its access log is off, where ours is on.
 */
export async function startNginx(
  content: Content,
  options: { protocol: Protocol; cpu: number | undefined; threads?: boolean },
): Promise<Server> {
  const { protocol } = options;
  const directory = await content.newDirectory('nginx');
  const port = await freePort();
  const { key, certificate } = await makeCertificate(directory);
  const configuration = join(directory, 'nginx.conf');
  await writeFile(
    configuration,
    `
daemon off; worker_processes 1; worker_rlimit_nofile 65536; pid ${directory}/pid; error_log ${directory}/error.log crit;
${process.getuid?.() === 0 ? 'user root;' : ''}
events { worker_connections 20000; multi_accept on; use epoll; }
http {
  access_log off; server_tokens off; default_type application/octet-stream; types { video/mp4 mp4; }
  sendfile on; sendfile_max_chunk 2m; tcp_nopush on; tcp_nodelay on; ${options.threads === true ? 'aio threads;' : ''}
  keepalive_timeout 300s; keepalive_requests 1000000000; keepalive_time 10h; reset_timedout_connection on;
  open_file_cache max=1024 inactive=1h; open_file_cache_valid 1h; open_file_cache_min_uses 1;
  output_buffers 2 256k;
  ssl_certificate ${certificate}; ssl_certificate_key ${key};
  ssl_protocols TLSv1.2 TLSv1.3; ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
  ssl_buffer_size 16k; ssl_session_tickets on; ssl_session_cache shared:tls:10m; ssl_session_timeout 1h;
  client_body_temp_path ${directory}/body; proxy_temp_path ${directory}/proxy; fastcgi_temp_path ${directory}/fastcgi;
  uwsgi_temp_path ${directory}/uwsgi; scgi_temp_path ${directory}/scgi;
  server { listen 127.0.0.1:${port} ${protocol === 'https' ? 'ssl' : ''} backlog=4096; root ${content.www}; }
}
`,
  );
  const { pid, stop } = start([...pinnedTo(options.cpu), 'nginx', '-p', directory, '-c', configuration]);
  await untilListening(port);
  const targets = await content.writeTargets(directory, pathInFolder);
  return {
    name: 'nginx',
    protocol,
    port,
    targets,
    pids: () => processTree(pid),
    remarks: () => [],
    stop,
  };
}

/** Varnish with everything in its memory; it has the files from another server, once. It speaks no TLS. */
export async function startVarnish(
  content: Content,
  options: { cpu: number | undefined; source: Server },
): Promise<Server> {
  const directory = await content.newDirectory('varnish');
  const port = await freePort();
  const vcl = join(directory, 'default.vcl');
  await writeFile(
    vcl,
    `vcl 4.1;
backend default { .host = "127.0.0.1"; .port = "${options.source.port}"; }
sub vcl_backend_response { set beresp.ttl = 10h; set beresp.grace = 10h; }
sub vcl_deliver { unset resp.http.via; unset resp.http.x-varnish; }
`,
  );
  const { pid, stop } = start([
    ...[...pinnedTo(options.cpu), 'varnishd', '-F', '-n', directory, '-a', `127.0.0.1:${port}`, '-f', vcl],
    ...['-s', 'malloc,3G', '-j', 'none', '-T', 'none', '-t', '36000'],
    ...['-p', 'thread_pool_min=300', '-p', 'thread_pool_max=2000', '-p', 'timeout_idle=300'],
  ]);
  await untilListening(port);
  const targets = await content.writeTargets(directory, pathInFolder);
  for (const file of content.hot) {
    const answer = await fetch(`http://127.0.0.1:${port}${pathInFolder(file)}`);
    for await (const _part of answer.body ?? []);
  }
  return {
    name: 'varnish',
    port,
    protocol: 'http',
    targets,
    pids: () => processTree(pid),
    remarks: () => [],
    stop,
  };
}

/** The yardstick: see limit.c. */
export async function startLimit(
  content: Content,
  options: { cpu: number | undefined; programs: Programs },
): Promise<Server> {
  const { child, pid, stop } = start([...pinnedTo(options.cpu), options.programs.limit, content.www]);
  const port = await new Promise<number>((resolve, reject) => {
    if (child.stdout === null) return;
    createInterface({ input: child.stdout }).once('line', (line) => {
      resolve((JSON.parse(line) as { port: number }).port);
    });
    child.once('close', () => {
      reject(new Error('the limit server did not start'));
    });
  });
  const targets = await content.writeTargets(await content.newDirectory('limit'), pathInFolder);
  return {
    name: 'limit',
    port,
    protocol: 'http',
    targets,
    pids: () => processTree(pid),
    remarks: () => [],
    stop,
  };
}
