// Faults of links that the kernel does, in a network namespace of this process's own: packets to
// and from the link's port are dropped or rejected (nftables), or pass slowly (tbf). The tools are
// run as programs; what they have set dies with the namespace at the latest.

#include <algorithm>
#include <charconv>
#include <utility>

#include "harness/fault/fault_action.h"
#include "harness/process/private_network.h"
#include "harness/process/process.h"

namespace squall::harness {
namespace {

// One program after the other, each waited for.
class Tools {
 public:
  using Output = std::function<void(Status, std::string)>;
  explicit Tools(AsioExecutor& executor) : executor_(executor) {}

  void Run(std::vector<std::string> argv, Output done) {
    output_.clear();
    ChildOptions options;
    options.name = argv.front();
    options.argv = std::move(argv);
    options.on_line = [this](Stream, std::string_view line) {
      output_ += std::string(line) + "\n";
    };
    // A tool of the fault's is no process of the scenario's: its journal is nobody's.
    process_ = std::make_unique<ChildProcess>(executor_, nobody_, std::move(options));
    process_->Start(nullptr);
    if (!process_->alive()) {
      return done(
          MakeStatus(StatusCode::kUnavailable, "{} cannot be run", process_->options().name), "");
    }
    process_->AwaitExit([this, done = std::move(done)](const ProcessExit& exit) {
      if (exit.code == 0) return done(absl::OkStatus(), output_);
      done(MakeStatus(StatusCode::kUnavailable, "{} {}: {}", process_->options().name,
                      exit.Describe(), output_),
           output_);
    });
  }

 private:
  AsioExecutor& executor_;
  journal::NullSink nobody_;
  std::string output_;
  std::unique_ptr<ChildProcess> process_;
};

Status OutsideItsOwnNetwork() {
  return Status(StatusCode::kFailedPrecondition,
                "not in a network namespace of its own: nothing is told to the kernel");
}

// The number behind `word` in a tool's output; 0 for none.
std::uint64_t NumberAfter(const std::string& text, std::string_view word) {
  const std::size_t at = text.find(word);
  if (at == std::string::npos) return 0;
  std::uint64_t number = 0;
  const char* begin = text.data() + at + word.size();
  std::from_chars(begin, text.data() + text.size(), number);
  return number;
}

// Packets are counted and then meet `verdict`.
class Packets final : public FaultAction {
 public:
  Packets(const FaultParts& parts, std::string verdict) : tools_(parts.executor), hit_(parts.hit) {
    static int last = 0;
    table_ = fmt::format("squall_{}", ++last);
    const std::string direction = parts.spec.parameters.Text("direction");
    rules_ = fmt::format(
        "add table inet {0}; add chain inet {0} in {{ type filter hook input priority 0; }}",
        table_);
    const auto rule = [&](std::string_view field) {
      // Resets pass, also the fault's own: a reset is not answered with another, it would vanish.
      rules_ += fmt::format("; add rule inet {} in tcp {} {} tcp flags & rst == 0 counter {}",
                            table_, field, parts.link->port(), verdict);
    };
    if (direction != "down") rule("dport");
    if (direction != "up") rule("sport");
  }

  void Inject(Done done) override {
    if (!InPrivateNetwork()) return done(OutsideItsOwnNetwork());
    tools_.Run({"nft", rules_}, [done = std::move(done)](const Status& status, const std::string&) {
      done(status);
    });
  }
  void Heal(Done done) override {
    tools_.Run({"nft", "list", "table", "inet", table_},
               [this, done = std::move(done)](const Status&, const std::string& output) {
                 // The kernel counts, and tells only who asks.
                 std::uint64_t packets = 0;
                 constexpr std::string_view kCounter = "counter packets ";
                 for (std::size_t at = output.find(kCounter); at != std::string::npos;
                      at = output.find(kCounter, at + 1))
                   packets += NumberAfter(output.substr(at), kCounter);
                 if (packets > 0) hit_(fmt::format("{} packets", packets));
                 tools_.Run({"nft", "delete", "table", "inet", table_},
                            [done](const Status& status, const std::string&) { done(status); });
               });
  }

 private:
  Tools tools_;
  std::string table_, rules_;
  const std::function<void(std::string)> hit_;
};

std::unique_ptr<FaultAction> MakeDrop(const FaultParts& parts) {
  return std::make_unique<Packets>(parts, "drop");
}
std::unique_ptr<FaultAction> MakeReject(const FaultParts& parts) {
  return std::make_unique<Packets>(parts, parts.spec.parameters.Text("with") == "reset"
                                              ? "reject with tcp reset"
                                              : "reject with icmpx port-unreachable");
}

// What goes to or from the link's port passes a token bucket; the rest of the loopback does not: it
// is given the bucket's class by a rule.
class Bucket final : public FaultAction {
 public:
  explicit Bucket(const FaultParts& parts) : tools_(parts.executor), hit_(parts.hit) {
    const std::string port = std::to_string(parts.link->port());
    const std::string rate = fmt::format("{}bps", parts.spec.parameters.Int("rate"));
    const std::string rules =
        "add table inet squall_bucket; "
        "add chain inet squall_bucket out { type filter hook output priority 0; }; "
        "add rule inet squall_bucket out oif lo tcp dport " +
        port +
        " meta priority set \"1:4\"; "
        "add rule inet squall_bucket out oif lo tcp sport " +
        port + " meta priority set \"1:4\"";
    commands_ = {{"tc", "qdisc", "add", "dev", "lo", "root", "handle", "1:", "htb"},
                 {"tc", "class", "add", "dev", "lo", "parent", "1:", "classid", "1:4", "htb",
                  "rate", "10gbit", "quantum", "60000"},
                 {"tc", "qdisc", "add", "dev", "lo", "parent", "1:4", "handle", "40:", "tbf",
                  "rate", rate, "burst", "4kb", "latency", "60s"},
                 {"nft", rules}};
  }

  void Inject(Done done) override {
    if (!InPrivateNetwork()) return done(OutsideItsOwnNetwork());
    Next(0, std::move(done));
  }
  void Heal(Done done) override {
    tools_.Run({"tc", "-s", "qdisc", "show", "dev", "lo"},
               [this, done = std::move(done)](const Status&, const std::string& output) {
                 const std::size_t bucket = output.find("qdisc tbf");
                 const std::uint64_t sent =
                     bucket == std::string::npos ? 0 : NumberAfter(output.substr(bucket), "Sent ");
                 if (sent > 0) hit_(fmt::format("{} bytes", sent));
                 Undo(done);
               });
  }

 private:
  void Next(std::size_t step, Done done) {
    if (step == commands_.size()) return done(absl::OkStatus());
    tools_.Run(commands_[step],
               [this, step, done = std::move(done)](const Status& status, const std::string&) {
                 if (status.ok()) return Next(step + 1, done);
                 // What was set until then does not stay; where nothing was, another fault's is
                 // left alone.
                 if (step == 0) return done(status);
                 Undo([done, status](const Status&) { done(status); });
               });
  }
  void Undo(Done done) {
    tools_.Run({"tc", "qdisc", "del", "dev", "lo", "root"},
               [this, done = std::move(done)](const Status& shaped, const std::string&) {
                 tools_.Run({"nft", "delete", "table", "inet", "squall_bucket"},
                            [done, shaped](const Status& ruled, const std::string&) {
                              done(shaped.ok() ? ruled : shaped);
                            });
               });
  }

  Tools tools_;
  const std::function<void(std::string)> hit_;
  std::vector<std::vector<std::string>> commands_;
};

std::unique_ptr<FaultAction> MakeBucket(const FaultParts& parts) {
  return std::make_unique<Bucket>(parts);
}

constexpr FaultFactory kKernelFactories[] = {
    {"kernel_bandwidth", MakeBucket},
    {"kernel_drop", MakeDrop},
    {"kernel_reject", MakeReject},
};

}  // namespace

std::span<const FaultFactory> KernelFaultFactories() { return kKernelFactories; }

}  // namespace squall::harness
