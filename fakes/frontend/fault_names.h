#pragma once
// A front end tells of misbehaviour by the ids of its rules. Where these rules are faults of a
// scenario, whoever injects them tells their beginning and their end; what is left is that traffic
// met them, under the fault's own name.

#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "base/journal/journal.h"

namespace squall::fakes {

// Stands between the front end and the journal. Safe from any thread.
class FaultNames final : public journal::Sink {
 public:
  // `below` outlives it; `target` is what the faults are told to act on, unless Name says
  // otherwise.
  FaultNames(journal::Sink& below, std::string target)
      : below_(below), target_(std::move(target)) {}

  void Name(const std::string& id, std::string_view fault, std::string target = "");
  void Append(std::string_view source, journal::Payload payload) override;

 private:
  struct Named {
    std::string name, target;
    bool hit = false;
  };
  journal::Sink& below_;
  const std::string target_;
  std::mutex mutex_;
  std::map<std::string, Named> faults_;
};

}  // namespace squall::fakes
