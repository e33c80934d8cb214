#pragma once
// Names made unique on a shared server, and plain again in the journal.

#include <string>

#include "base/journal/journal.h"

namespace squall::harness {

// On somebody else's server several subjects, and several runs, are at work at once: task queues
// and workflow ids get a tag there. Scenarios, checks and reports know nothing of it: this takes
// the tag out of every text of every event on its way to the journal. With an empty tag it passes
// everything on. Thread-safe as the sink below it.
class UntaggingSink final : public journal::Sink {
 public:
  // `below` outlives it.
  UntaggingSink(journal::Sink& below, std::string tag) : below_(below), tag_(std::move(tag)) {}
  void Append(std::string_view source, journal::Payload payload) override;

 private:
  journal::Sink& below_;
  const std::string tag_;
};

}  // namespace squall::harness
