// Latencies in logarithmic buckets, 64 to a doubling: any percentile to within 1.6 %, in fixed memory.
#pragma once

#include <stdint.h>

enum { histogramBuckets = 64 * 59 };

struct histogram {
  uint64_t counts[histogramBuckets];
  uint64_t total;
  uint64_t maxNs;
};

static inline void histogramAdd(struct histogram *histogram, uint64_t ns) {
  const unsigned shift = ns < 64 ? 0 : 57 - (unsigned)__builtin_clzll(ns);
  histogram->counts[ns < 64 ? ns : (shift + 1) * 64 + (ns >> shift) - 64]++;
  histogram->total++;
  if (ns > histogram->maxNs) histogram->maxNs = ns;
}

// The latency in microseconds that `share` of all were no slower than.
static inline double histogramUs(const struct histogram *histogram, double share) {
  const uint64_t wanted = (uint64_t)(share * (double)histogram->total);
  uint64_t seen = 0;
  for (unsigned i = 0; i < histogramBuckets; i++) {
    seen += histogram->counts[i];
    if (seen <= wanted) continue;
    const uint64_t ns = i < 64 ? i : ((uint64_t)(i % 64 + 65) << (i / 64 - 1)) - 1;
    return (double)(ns < histogram->maxNs ? ns : histogram->maxNs) / 1000;
  }
  return (double)histogram->maxNs / 1000;
}
