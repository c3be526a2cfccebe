// Counters that JavaScript reads in place: an array of doubles that it made. native-counters.ts has the same order.
#pragma once


#include "records.h"
#include "request.h"

namespace nearcast {

enum class Counter : size_t {
  connections,
  connectionsTls,
  liveRequests,
  handedConnections,
  accepted,
  refusedTotal,
  refusedPerAddress,
  tlsHandshakes,
  tlsResumed,
  tlsFailed,
  bytesSent,
  bytesWire,
  cutClient,
  cutFile,
  cutIdle,
  cutSlow,
  timeoutHeaders,
  shedOverloaded,
  shedDraining,
  parked,
  parkedTotal,
  recordsDropped,
  openFiles,
  grants,
  coldReads,
  coldReadBytes,
  diskWaitUsMax,
  ttfbUsEwma,
  acceptErrors,
  count,
};
inline constexpr uint16_t statuses[] = {200, 206, 304, 408, 429};

inline constexpr size_t handOverAt = static_cast<size_t>(Counter::count);
inline constexpr size_t statusAt = handOverAt + reasonCount;
inline constexpr size_t durationAt = statusAt + std::size(statuses);
inline constexpr size_t histogramSize = latencyBoundsUs.size() + 2;  // the buckets, the rest, the sum
inline constexpr size_t ttfbAt = durationAt + histogramSize;
inline constexpr size_t counterSize = ttfbAt + histogramSize;

class Counters {
 public:
  explicit Counters(double* slots) : slots_(slots) {}
  void add(Counter counter, double by = 1) { slots_[static_cast<size_t>(counter)] += by; }
  void set(Counter counter, double value) { slots_[static_cast<size_t>(counter)] = value; }
  double get(Counter counter) const { return slots_[static_cast<size_t>(counter)]; }
  void handedOver(Reason reason) { slots_[handOverAt + static_cast<size_t>(reason)]++; }
  void status(uint16_t status) {
    for (size_t i = 0; i < std::size(statuses); i++)
      if (statuses[i] == status) slots_[statusAt + i]++;
  }
  void answered(uint16_t status, uint32_t durationUs, uint32_t ttfbUs) {
    this->status(status);
    observe(durationAt, durationUs);
    observe(ttfbAt, ttfbUs);
    double& ewma = slots_[static_cast<size_t>(Counter::ttfbUsEwma)];
    ewma += (ttfbUs - ewma) / 64;
  }

 private:
  void observe(size_t at, uint32_t us) {
    size_t bucket = 0;
    while (bucket < latencyBoundsUs.size() && us > latencyBoundsUs[bucket]) bucket++;
    slots_[at + bucket]++;
    slots_[at + histogramSize - 1] += us;
  }
  double* slots_;
};

}  // namespace nearcast
