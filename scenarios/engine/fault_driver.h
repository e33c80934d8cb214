#pragma once
// The faults of one run, as its inject and heal steps ask for them: on one node or several, at
// once, at an event, again and again, by chance; and what is in force, to be healed in reverse
// order.
//
// One injection has the step's label as its id where the step stands for exactly one; else
// LABEL@NODE, and LABEL#2, LABEL@NODE#2 for later rounds (fault_ids.h). All choices come from the
// seed, by label. Loop thread only. Completions are dropped with the driver; what is in force then
// is healed by its handle's destructor.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/journal/event.h"
#include "base/util/executor.h"
#include "base/util/rng.h"
#include "scenarios/engine/event_matcher.h"
#include "scenarios/engine/world.h"
#include "scenarios/format/scenario.h"

namespace squall::scenarios {

class FaultDriver {
 public:
  // `blame` is told of what fails while nobody waits for it: a healing, an injection that an event
  // or the schedule set off.
  using Blame = std::function<void(const std::string& what, const Status& status)>;
  FaultDriver(Executor& executor, World& world, std::uint64_t seed, Blame blame);
  ~FaultDriver();
  FaultDriver(const FaultDriver&) = delete;
  FaultDriver& operator=(const FaultDriver&) = delete;

  // OK once the first round is in force, or, with `when`, at once. `step` outlives the driver.
  void Inject(const InjectStep& step, Done done);
  // What is being injected comes too late: it heals as it goes.
  void ForgetInjections(const std::vector<std::string>& labels = {});
  // Every event of the run, for `when`.
  void OnEvent(const journal::Event& event);

  // Those with these labels (empty: all), the last injected first; their schedules end.
  void Heal(std::vector<std::string> labels, Done done);
  // No further rounds, of any.
  void EndSchedules();
  // The id of what was injected last and is in force; nothing when nothing is.
  std::optional<std::string> Last() const;
  void HealLast(Done done);
  // Given up: its handle goes.
  void DropLast();
  void DropAll();

 private:
  struct Active {
    std::string id, label;
    std::unique_ptr<FaultHandle> handle;
    bool healing = false;
    TimerId span_timer = 0;
    std::vector<Done> waiting;  // for the end of the healing that is under way
  };
  // An inject step that is not over: it waits for its event, or has rounds to come.
  struct Plan {
    const InjectStep* step = nullptr;
    Rng rng{0};
    int round = 0;
    std::optional<EventMatcher> matcher;
    int matched = 0;
    TimerId timer = 0;
  };

  void Round(Plan& plan, Done done);
  void InjectInto(const InjectStep& step, std::vector<std::string> nodes, int round,
                  std::shared_ptr<bool> wanted, Done done);
  void NextRound(Plan& plan);
  // Without anybody who waits.
  void RoundAlone(Plan& plan);
  void HealOne(Active& fault, Done done);
  void EndPlans(const std::vector<std::string>& labels);

  Executor& executor_;
  World& world_;
  const Rng rng_;
  const Blame blame_;
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::vector<std::unique_ptr<Active>> active_;
  std::vector<std::unique_ptr<Plan>> plans_;
  // Injections that the world has not answered: their labels, and whether they are still wanted.
  std::vector<std::pair<std::string, std::shared_ptr<bool>>> under_way_;
};

}  // namespace squall::scenarios
