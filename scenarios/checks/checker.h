#pragma once
// A checker: one expectation as a deterministic fold over the journal.
//
// It sees every event once, in order, and nothing else: no clock, no file, no world. So the same
// checker judges a live run, a saved journal and ten thousand simulated seeds, and says the same of
// the same events. Single-threaded.
//
// Two rules that all of them keep:
//  - Nothing observed is not a pass. Where the thing that a check speaks of never happened, its
//  verdict is unknown or fail,
//    as docs/checks.md says for each.
//  - A limit of time is inclusive (what happens exactly at it is in time), and a limit that
//  observation did not reach is
//    unknown, not fail: an interrupted run accuses nobody.

#include <optional>
#include <string>
#include <vector>

#include "base/journal/event.h"
#include "base/util/clock.h"
#include "scenarios/format/verdict.h"

namespace squall::scenarios {

struct Verdict {
  Outcome outcome = Outcome::kUnknown;
  std::string expected;  // "process w ends with code 3 within 5.00s of its start"
  std::string happened;  // "exited with code 1 after 0.31s"; may have further lines (last output),
                         // separated by \n
};

class Checker {
 public:
  virtual ~Checker() = default;

  // Kinds of event that it needs with its parameters, beyond those that its definition needs
  // always.
  virtual std::vector<std::string> Needs() const { return {}; }
  // Every event in order; times are journal times.
  virtual void Observe(const journal::Event& event) = 0;
  // The time until which waiting could still change the verdict; nothing when all is decided or
  // waiting changes nothing.
  virtual std::optional<SteadyTime> NextDeadline() const { return std::nullopt; }
  // False when nothing that it watches was observed: an oracle is silent then.
  virtual bool SawAnything() const { return true; }
  // The verdict on what was observed up to `end` (not before the last event). Changes nothing; may
  // be called again.
  virtual Verdict Finish(SteadyTime end) const = 0;
};

}  // namespace squall::scenarios
