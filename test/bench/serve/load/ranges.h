// What is asked for: files, and aligned ranges of one size in them. Shared by the load generator and by the plain
// reader, so that both ask for the same.
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct target {
  char path[640];  // as in the request line
  char file[512];  // on this machine
  uint64_t size;
};

struct range {
  uint32_t target;
  uint64_t start;
};

struct ranges {
  struct target *targets;
  uint32_t count;
  uint64_t bytes;      // of each range
  uint64_t random;     // state of the generator
  struct range *once;  // every range there is, shuffled; NULL where ranges may repeat
  uint64_t onceCount;
  uint64_t onceNext;
};

// xorshift64*: fast, and good enough to pick ranges.
static inline uint64_t nextRandom(uint64_t *state) {
  *state ^= *state >> 12;
  *state ^= *state << 25;
  *state ^= *state >> 27;
  return *state * 0x2545F4914F6CDD1Dull;
}

// Reads `path size file` lines. Files smaller than a range are of no use: that is an error.
static inline int readTargets(struct ranges *ranges, const char *list) {
  FILE *in = fopen(list, "r");
  if (in == NULL) return fprintf(stderr, "%s: %s\n", list, strerror(errno)), -1;
  struct target target;
  while (fscanf(in, "%639s %lu %511s", target.path, &target.size, target.file) == 3) {
    if (target.size < ranges->bytes) return fprintf(stderr, "%s is too small\n", target.path), fclose(in), -1;
    ranges->targets = realloc(ranges->targets, (ranges->count + 1) * sizeof target);
    ranges->targets[ranges->count++] = target;
  }
  fclose(in);
  return ranges->count > 0 ? 0 : (fprintf(stderr, "%s names no files\n", list), -1);
}

// Every range once, in random order: what is cold then stays cold until it is asked for.
static inline void shuffleOnce(struct ranges *ranges) {
  for (uint32_t i = 0; i < ranges->count; i++) ranges->onceCount += ranges->targets[i].size / ranges->bytes;
  ranges->once = malloc(ranges->onceCount * sizeof *ranges->once);
  uint64_t at = 0;
  for (uint32_t i = 0; i < ranges->count; i++) {
    for (uint64_t n = 0; n < ranges->targets[i].size / ranges->bytes; n++) {
      const uint64_t other = nextRandom(&ranges->random) % (at + 1);
      ranges->once[at] = ranges->once[other];
      ranges->once[other] = (struct range){i, n * ranges->bytes};
      at++;
    }
  }
}

// The next range; 0 when there is none left.
static inline int nextRange(struct ranges *ranges, struct range *range) {
  if (ranges->once != NULL) {
    if (ranges->onceNext == ranges->onceCount) return 0;
    *range = ranges->once[ranges->onceNext++];
    return 1;
  }
  range->target = (uint32_t)(nextRandom(&ranges->random) % ranges->count);
  const uint64_t places = ranges->targets[range->target].size / ranges->bytes;
  range->start = nextRandom(&ranges->random) % places * ranges->bytes;
  return 1;
}

static inline void freeRanges(struct ranges *ranges) {
  free(ranges->targets);
  free(ranges->once);
}
