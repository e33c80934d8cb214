// Every fault of the frame-aware proxy, shown to several clients: what each sees, that it met the
// fault, and that it is well again when the fault is healed.
//
// grpc++ and the production core always; other languages where SQUALL_SEEN_GO and SQUALL_SEEN_JS
// hold the commands of their programs. SQUALL_SEEN_TABLE names a file for the table
// (docs/faults-seen.md is made so by `make prove-faults-seen`).

#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <fstream>
#include <functional>
#include <map>
#include <regex>
#include <sstream>
#include <thread>

#include "base/util/text.h"
#include "tests/faults_seen/bed.h"
#include "tests/faults_seen/clients.h"
#include "tests/faults_seen/rows.h"
#include "tests/support/status_matchers.h"

namespace squall::seen {
namespace {

using namespace std::chrono_literals;

// At once, as most of the time is spent waiting.
constexpr std::size_t kThreads = 12;
constexpr Duration kGoodCall = 10s;

struct Kind {
  std::string name;
  std::function<std::unique_ptr<Client>(const Target&)> make;
};

std::vector<Kind> Kinds() {
  std::vector<Kind> kinds = {{"grpc++", MakeGrpcppClient}, {"core", MakeCoreClient}};
  for (const auto& [name, variable] :
       {std::pair{"grpc-go", "SQUALL_SEEN_GO"}, std::pair{"grpc-js", "SQUALL_SEEN_JS"}}) {
    const char* command = std::getenv(variable);
    if (command == nullptr) continue;
    std::vector<std::string> words;
    std::istringstream in(command);
    for (std::string word; in >> word;) words.push_back(word);
    kinds.push_back(
        {name, [words](const Target& target) { return MakeProgramClient(words, target); }});
  }
  return kinds;
}

// Lines of expected.txt: fault, client, regular expression, with tabs between.
using Expectations = std::map<std::pair<std::string, std::string>, std::string>;
Expectations ReadExpectations() {
  Expectations expectations;
  const char* root = std::getenv("SQUALL_SOURCE_DIR");
  std::ifstream in(std::string(root != nullptr ? root : ".") + "/tests/faults_seen/expected.txt");
  for (std::string line; std::getline(in, line);) {
    const std::size_t first = line.find('\t'), second = line.find('\t', first + 1);
    if (line.starts_with('#') || second == std::string::npos) continue;
    expectations[{line.substr(0, first), line.substr(first + 1, second - first - 1)}] =
        line.substr(second + 1);
  }
  return expectations;
}

// One client in front of one fault.
struct Outcome {
  const Row* row = nullptr;
  const Kind* kind = nullptr;
  std::string expected;
  std::string first = "OK";  // before the fault came
  std::string seen;
  std::uint64_t hits = 0;
  std::string healed;
};

// Without what differs from run to run.
std::string Plain(std::string text) {
  static const std::regex address("127\\.0\\.0\\.1:[0-9]+");
  static const std::regex time(
      "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z|[0-9]{10} \\([^)]*\\)|UnixTime\\([0-9]+\\)");
  static const std::regex duration("[0-9]+(\\.[0-9]+)?(ms|us|µs| seconds|s)\\b");
  // Go's protobuf writes a no-break space into its errors in about half of its builds, lest anybody
  // compares them.
  static const std::regex space("\xC2\xA0");
  text = std::regex_replace(text, space, " ");
  text = std::regex_replace(text, address, "ADDRESS");
  text = std::regex_replace(text, time, "TIME");
  text = std::regex_replace(text, duration, "SPAN");
  return EscapeControl(text);
}

void Show(Outcome& outcome) {
  const Row& row = *outcome.row;
  const bool tls = !row.tls_mode.empty();
  Bed bed(tls && !row.plaintext_client ? Security::kTls : Security::kPlaintext,
          Security::kPlaintext, row.net ? Front::kTcpBeforeFrames : Front::kFramesOnly);
  if (!bed.status().ok()) {
    outcome.seen = "bed: " + std::string(Message(bed.status()));
    return;
  }
  Target target{
      .address = bed.address(), .tls = tls && !row.plaintext_client, .by_name = !row.by_address};
  if (target.tls) {
    target.ca_pem = Certificates().ca_pem;
    if (row.certificate) target.identity = Certificates().client;
  }
  const std::unique_ptr<Client> client = outcome.kind->make(target);
  if (row.when == When::kEstablished) outcome.first = client->Call(0, Scaled(kGoodCall));

  Status set;
  if (tls) {
    bed.OnLoop([&](harness::GrpcProxy& proxy) {
      set = proxy.SetTlsMode("f", wire::FindTlsMode(row.tls_mode)->fault);
    });
  } else if (row.net) {
    set = bed.SetNetFault(*row.net);
    // Silence first: it is the connection's next call that meets what a NAT has forgotten.
    if (set.ok() && row.net->idle > Duration::zero()) bed.AwaitHit("f", Scaled(kGoodCall));
  } else {
    set = bed.SetRules(std::string(row.rules));
  }
  if (!row.server_rules.empty()) {
    auto rules = wire::RulesFromJson(fmt::format("{{\"rules\": [{}]}}", row.server_rules));
    if (rules.ok()) set.Update(bed.server().SetRules(*std::move(rules)).status());
  }
  if (set.ok()) {
    const Duration deadline = Scaled(std::chrono::milliseconds(row.deadline_ms));
    const SteadyTime limit = RealClock().Now() + Scaled(kGoodCall);
    do {
      outcome.seen = client->Call(row.input_bytes, deadline);
      // A mode of TLS that comes in mid-life resets the connection, and it is a race whether a call
      // is on it; the mode is met by the next connection.
    } while (tls && bed.Hits("f") == 0 && RealClock().Now() < limit);
  } else {
    outcome.seen = "not set: " + std::string(Message(set));
  }
  outcome.hits = bed.Hits("f");

  bed.LiftRules();
  bed.server().LiftRules();
  bed.OnLoop([](harness::GrpcProxy& proxy) { proxy.RemoveTlsMode("f"); });
  // What is half open stays so: nobody is left to end it but who restarts the link.
  bed.CloseConnections();
  const SteadyTime until = RealClock().Now() + Scaled(30s);
  while (true) {
    outcome.healed = client->Call(row.input_bytes, Scaled(3s));
    if (outcome.healed == "OK" || RealClock().Now() >= until) break;
    bed.Pause(50ms);
  }
}

std::string Cell(const std::string& text) {
  return MarkdownCell(text.size() > 240 ? text.substr(0, 240) + " ..." : text);
}

void WriteTable(const std::string& path, const std::vector<Outcome>& outcomes) {
  std::ofstream out(path);
  out << "# Faults, and what clients see of them\n\n"
         "Made by `make prove-faults-seen` from a run of `tests/faults_seen`: each fault of the "
         "TCP proxy and of the frame-aware proxy\n"
         "(`harness/net`) in front of the fake server, shown to real clients. "
         "*Expected* is a regular\n"
         "expression that the run compares with; *seen* is the client's own text (addresses, times "
         "and spans replaced).\n"
         "In every row the proxy told that the client met the fault, and after healing the same "
         "client's calls\n"
         "succeeded again. Calls are not retried, and where nothing else ends them their deadline "
         "does.\n\n";
  enum class Part { kTcp, kFrames, kTls };
  const auto table = [&](Part part) {
    out << "| fault | client | expected | seen |\n|---|---|---|---|\n";
    for (const Outcome& outcome : outcomes) {
      const Part its = outcome.row->net                ? Part::kTcp
                       : outcome.row->tls_mode.empty() ? Part::kFrames
                                                       : Part::kTls;
      if (its != part) continue;
      // Clients' own texts have backticks in them.
      out << fmt::format("| {} | {} | `` {} `` | `` {} `` |\n", outcome.row->name,
                         outcome.kind->name, Cell(outcome.expected), Cell(Plain(outcome.seen)));
    }
  };
  out << "## TCP\n\n";
  table(Part::kTcp);
  out << "\n## HTTP/2 and gRPC\n\n";
  table(Part::kFrames);
  out << "\n## TLS\n\n";
  table(Part::kTls);
  out << fmt::format("\n{} rows.\n", outcomes.size());
}

TEST(FaultsSeen, AreWhatTheTableSays) {
  std::signal(SIGPIPE, SIG_IGN);  // core writes to connections that the proxy has closed
  const std::vector<Kind> kinds = Kinds();
  const Expectations expectations = ReadExpectations();
  // Every row is shown to every client; what is not expected yet fails.
  std::vector<Outcome> outcomes;
  for (const Row& row : Rows()) {
    for (const Kind& kind : kinds) {
      const auto known = expectations.find({std::string(row.name), kind.name});
      outcomes.push_back(
          {.row = &row,
           .kind = &kind,
           .expected = known == expectations.end() ? "not in expected.txt" : known->second});
    }
  }
  std::atomic<std::size_t> next = 0;
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (std::size_t at = next++; at < outcomes.size(); at = next++) Show(outcomes[at]);
    });
  }
  for (std::thread& thread : threads) thread.join();

  for (const Outcome& outcome : outcomes) {
    SCOPED_TRACE(fmt::format("{}, {}", outcome.row->name, outcome.kind->name));
    EXPECT_EQ(outcome.first, "OK");
    EXPECT_TRUE(std::regex_search(Plain(outcome.seen), std::regex("^(" + outcome.expected + ")")))
        << "expected: " << outcome.expected << "\nseen:     " << Plain(outcome.seen);
    EXPECT_TRUE(outcome.hits > 0 || outcome.row->unseen) << "the proxy did not meet it";
    EXPECT_EQ(outcome.healed, "OK") << "after healing";
  }
  EXPECT_GE(outcomes.size(), 150u);
  if (const char* path = std::getenv("SQUALL_SEEN_TABLE")) WriteTable(path, outcomes);
}

}  // namespace
}  // namespace squall::seen
