// The load generator of `./dev bench serve`: N keep-alive connections, each asking for one aligned range after the
// other (a closed loop) for some seconds, by one thread. Every answer's status, length and range are checked; what is
// wrong is counted. Prints one line of JSON. The CPU time of the servers is read here, at the very moments that the
// counting begins and ends.
//
//   load --port P --targets LIST --size BYTES --connections N --seconds S [--warm S] [--tls] [--verify] [--once]
//        [--seed N] [--cpu N] [--pids A,B,…] [--idle | --slow]
//
// LIST holds `path size file` lines. --verify compares all bytes with the files; --once asks for every range once;
// --idle and --slow: see modes.c.
#include "load.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { failuresMax = 1000 };  // more are no measurement any more

static const uint64_t patienceNs = 3000000000;

uint64_t nowNs(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static double cpuSeconds(const struct options *options) {
  double seconds = 0;
  for (unsigned i = 0; i < options->pidCount; i++) {
    clockid_t clock;
    struct timespec used;
    // Of all threads, ended ones too, in nanoseconds: finer than /proc/PID/stat, and the same.
    if (clock_getcpuclockid(options->pids[i], &clock) != 0 || clock_gettime(clock, &used) != 0) continue;
    seconds += (double)used.tv_sec + (double)used.tv_nsec / 1e9;
  }
  return seconds;
}

static double ownCpuSeconds(void) {
  struct timespec used;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

static uint64_t failureCount(const struct results *results) {
  uint64_t count = 0;
  for (int i = 0; i < failures; i++) count += results->failed[i];
  return count;
}

static bool addToSet(int set, struct connection *connection) {
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
  return epoll_ctl(set, EPOLL_CTL_ADD, connection->fd, &event) == 0;
}

// Opens a connection, the first time or again, and lets it ask.
static void begin(struct load *load, int set, struct connection *connection) {
  while (failureCount(&load->results) < failuresMax) {
    if (openConnection(load, connection) && addToSet(set, connection) && ask(load, connection)) return;
  }
}

static void pump(struct load *load, int set, int waitMs) {
  struct epoll_event events[256];
  const int count = epoll_wait(set, events, 256, waitMs);
  for (int i = 0; i < count; i++) {
    struct connection *connection = events[i].data.ptr;
    if (!onReadable(load, connection)) begin(load, set, connection);
  }
}

// Pumps for so long, and on until every connection can have had an answer or two: what lies in the buffers of sockets
// was paid for before, and must be small beside what is counted. A server that does not get there ends it as well.
static void pumpFor(struct load *load, int set, double seconds) {
  const uint64_t startNs = nowNs(), leastNs = (uint64_t)(seconds * 1e9);
  const uint64_t enough = load->results.requests + 2 * load->options.connections;
  while (load->resting < load->options.connections && failureCount(&load->results) < failuresMax) {
    const uint64_t goneNs = nowNs() - startNs;
    if (goneNs >= leastNs && (load->results.requests >= enough || goneNs >= leastNs + patienceNs)) break;
    pump(load, set, 10);
  }
}

static void printLatencies(const char *name, const struct histogram *histogram) {
  printf(",\"%s\":{\"p50Us\":%.1f,\"p90Us\":%.1f,\"p99Us\":%.1f,\"maxUs\":%.1f}", name, histogramUs(histogram, 0.5),
         histogramUs(histogram, 0.9), histogramUs(histogram, 0.99), (double)histogram->maxNs / 1000);
}

// What is still under way counts for bytes but for no latency: the oldest of it shows whether somebody starved.
static double oldestMs(const struct load *load) {
  const uint64_t now = nowNs();
  uint64_t oldest = 0;
  for (unsigned i = 0; i < load->options.connections; i++) {
    const struct connection *connection = &load->connections[i];
    const bool waits = connection->fd >= 0 && connection->state != resting;
    if (waits && now - connection->sentNs > oldest) oldest = now - connection->sentNs;
  }
  return (double)oldest / 1e6;
}

static int runClosedLoop(struct load *load) {
  const struct options *options = &load->options;
  struct results *results = &load->results;
  const int set = epoll_create1(EPOLL_CLOEXEC);
  for (unsigned i = 0; i < options->connections; i++) begin(load, set, &load->connections[i]);
  if (options->warmSeconds > 0) pumpFor(load, set, options->warmSeconds);
  // What failed while warming up has failed.
  memset(results, 0, offsetof(struct results, failed));

  const double cpuAtStart = cpuSeconds(options), ownAtStart = ownCpuSeconds();
  const uint64_t startNs = nowNs();
  pumpFor(load, set, options->seconds);
  const double cpu = cpuSeconds(options) - cpuAtStart, own = ownCpuSeconds() - ownAtStart;
  const double seconds = (double)(nowNs() - startNs) / 1e9;

  printf("{\"seconds\":%.4f,\"requests\":%lu,\"bytes\":%lu,\"serverCpuSeconds\":%.6f,\"ownCpuSeconds\":%.6f", seconds,
         results->requests, results->bytes, cpu, own);
  printLatencies("whole", &results->whole);
  printLatencies("first", &results->first);
  printf(",\"oldestMs\":%.1f,\"failures\":{", oldestMs(load));
  static const char *const names[] = {"connect", "tls",    "write", "closed", "head",
                                      "status",  "refused", "length", "bytes", "surplus"};
  for (int i = 0; i < failures; i++) printf("%s\"%s\":%lu", i == 0 ? "" : ",", names[i], results->failed[i]);
  printf("}}\n");
  close(set);
  return 0;
}

static bool mapContents(struct load *load) {
  load->contents = calloc(load->ranges.count, sizeof *load->contents);
  for (uint32_t i = 0; i < load->ranges.count; i++) {
    const int fd = open(load->ranges.targets[i].file, O_RDONLY | O_CLOEXEC);
    void *content = mmap(NULL, load->ranges.targets[i].size, PROT_READ, MAP_SHARED, fd, 0);
    if (fd >= 0) close(fd);
    if (content == MAP_FAILED) return perror(load->ranges.targets[i].file), false;
    load->contents[i] = content;
  }
  return true;
}

static void freeAll(struct load *load) {
  for (unsigned i = 0; i < load->options.connections; i++) closeConnection(&load->connections[i]);
  for (uint32_t i = 0; load->contents != NULL && i < load->ranges.count; i++) {
    munmap((void *)load->contents[i], load->ranges.targets[i].size);
  }
  free(load->contents);
  free(load->connections);
  SSL_CTX_free(load->tls);
  freeRanges(&load->ranges);
  free(load);
}

static void pinTo(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET((unsigned)cpu, &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0) perror("sched_setaffinity");
}

static void readPids(struct options *options, char *list) {
  for (char *pid = strtok(list, ","); pid != NULL && options->pidCount < 64; pid = strtok(NULL, ",")) {
    options->pids[options->pidCount++] = atoi(pid);
  }
}

// Reads the options. @returns the mode, or NULL when they make no sense.
static int (*readOptions(struct load *load, int argc, char **argv))(struct load *) {
  static const struct option known[] = {
      {"port", 1, NULL, 'p'},    {"targets", 1, NULL, 't'}, {"size", 1, NULL, 'b'}, {"connections", 1, NULL, 'c'},
      {"seconds", 1, NULL, 's'}, {"warm", 1, NULL, 'w'},    {"tls", 0, NULL, 'T'},  {"verify", 0, NULL, 'v'},
      {"once", 0, NULL, 'o'},    {"seed", 1, NULL, 'r'},    {"cpu", 1, NULL, 'u'},  {"pids", 1, NULL, 'P'},
      {"idle", 0, NULL, 'i'},    {"slow", 0, NULL, 'l'},    {NULL, 0, NULL, 0}};
  struct options *options = &load->options;
  int (*mode)(struct load *) = runClosedLoop;
  const char *targets = "";
  options->address.sin_family = AF_INET;
  inet_pton(AF_INET, "127.0.0.1", &options->address.sin_addr);
  load->ranges.random = 1;
  for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
    switch (option) {
      case 'p': options->address.sin_port = htons((uint16_t)atoi(optarg)); break;
      case 't': targets = optarg; break;
      case 'b': load->ranges.bytes = strtoull(optarg, NULL, 10); break;
      case 'c': options->connections = (unsigned)atoi(optarg); break;
      case 's': options->seconds = atof(optarg); break;
      case 'w': options->warmSeconds = atof(optarg); break;
      case 'T': options->tls = true; break;
      case 'v': options->verify = true; break;
      case 'o': options->once = true; break;
      case 'r': load->ranges.random = strtoull(optarg, NULL, 10) * 2 + 1; break;
      case 'u': pinTo(atoi(optarg)); break;
      case 'P': readPids(options, optarg); break;
      case 'i': mode = runIdle; break;
      case 'l': mode = runSlow; break;
      default: return NULL;
    }
  }
  if (options->connections == 0 || options->address.sin_port == 0 || load->ranges.bytes == 0) return NULL;
  return readTargets(&load->ranges, targets) == 0 ? mode : NULL;
}

int main(int argc, char **argv) {
  struct load *load = calloc(1, sizeof *load);
  struct rlimit files;
  signal(SIGPIPE, SIG_IGN);
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  int (*mode)(struct load *) = readOptions(load, argc, argv);
  if (mode == NULL) {
    fprintf(stderr, "load: wrong options; see the head of load.c\n");
    return 64;
  }
  if (load->options.tls) load->tls = makeTls();
  if (load->options.once) shuffleOnce(&load->ranges);
  load->connections = calloc(load->options.connections, sizeof *load->connections);
  for (unsigned i = 0; i < load->options.connections; i++) load->connections[i].fd = -1;
  const int status = load->options.verify && !mapContents(load) ? 1 : mode(load);
  freeAll(load);
  return status;
}
