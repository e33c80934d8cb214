#include "fakes/frontend/fault_names.h"

#include <utility>

namespace squall::fakes {

void FaultNames::Name(const std::string& id, std::string_view fault, std::string target) {
  const std::lock_guard lock(mutex_);
  faults_[id] = {std::string(fault), target.empty() ? target_ : std::move(target), false};
}

void FaultNames::Append(std::string_view source, journal::Payload payload) {
  if (auto* event = std::get_if<journal::FaultEvent>(&payload)) {
    const std::lock_guard lock(mutex_);
    const auto it = faults_.find(event->fault_id);
    if (it != faults_.end()) {
      if (event->what != "hit" || std::exchange(it->second.hit, true)) return;
      event->fault = it->second.name;
      event->target = it->second.target;
    }
  }
  below_.Append(source, std::move(payload));
}

}  // namespace squall::fakes
