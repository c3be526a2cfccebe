// Reads of files that are not in memory: makes them cold, and reads ranges of them with nothing but pread(2).
//
//   cold --drop LIST                         drops the files of LIST from the page cache
//   cold LIST SIZE THREADS SECONDS [SEED]    reads every range once in random order; prints {"seconds","bytes"}
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "load/ranges.h"

static struct ranges ranges;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int *descriptors;
static uint64_t endNs, bytes;

static uint64_t nowNs(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

// Only clean pages are dropped: they are written first.
static int dropAll(void) {
  for (uint32_t i = 0; i < ranges.count; i++) {
    if (fdatasync(descriptors[i]) != 0) return perror(ranges.targets[i].file), 1;
    if (posix_fadvise(descriptors[i], 0, 0, POSIX_FADV_DONTNEED) != 0) return perror(ranges.targets[i].file), 1;
  }
  return 0;
}

static void *readRanges(void *unused) {
  (void)unused;
  char *buffer = malloc(ranges.bytes);
  struct range range;
  for (;;) {
    pthread_mutex_lock(&lock);
    const int has = nowNs() < endNs && nextRange(&ranges, &range);
    pthread_mutex_unlock(&lock);
    if (!has) break;
    const ssize_t got = pread(descriptors[range.target], buffer, ranges.bytes, (off_t)range.start);
    if (got < 0) {
      perror(ranges.targets[range.target].file);
      break;
    }
    pthread_mutex_lock(&lock);
    bytes += (uint64_t)got;
    pthread_mutex_unlock(&lock);
  }
  free(buffer);
  return NULL;
}

int main(int argc, char **argv) {
  const int isDrop = argc == 3 && strcmp(argv[1], "--drop") == 0;
  if (!isDrop && argc != 5 && argc != 6) return fprintf(stderr, "cold: see the head of cold.c\n"), 64;
  ranges.bytes = isDrop ? 1 : strtoull(argv[2], NULL, 10);
  ranges.random = (argc == 6 ? strtoull(argv[5], NULL, 10) : 0) * 2 + 1;
  if (readTargets(&ranges, argv[isDrop ? 2 : 1]) != 0) return 1;
  descriptors = malloc(ranges.count * sizeof *descriptors);
  for (uint32_t i = 0; i < ranges.count; i++) {
    descriptors[i] = open(ranges.targets[i].file, O_RDONLY | O_CLOEXEC);
    if (descriptors[i] < 0) return perror(ranges.targets[i].file), 1;
  }
  if (isDrop) return dropAll();
  shuffleOnce(&ranges);
  pthread_t threads[64];
  const int count = atoi(argv[3]) < 64 ? atoi(argv[3]) : 64;
  const uint64_t startNs = nowNs();
  endNs = startNs + (uint64_t)(atof(argv[4]) * 1e9);
  for (int i = 0; i < count; i++) pthread_create(&threads[i], NULL, readRanges, NULL);
  for (int i = 0; i < count; i++) pthread_join(threads[i], NULL);
  printf("{\"seconds\":%.4f,\"bytes\":%lu}\n", (double)(nowNs() - startNs) / 1e9, bytes);
  freeRanges(&ranges);
  free(descriptors);
  return 0;
}
