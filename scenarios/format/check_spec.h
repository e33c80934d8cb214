#pragma once
// Tables of named things with typed parameters: the checks (the table is scenarios/checks' own) and
// the faults (fault_catalogue.h). The loader, the JSON Schema and the documentation are all made
// from such tables.

#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/util/clock.h"

namespace squall::scenarios {

// A place in a scenario file; line and column count from 1, 0 when there is none.
struct SourcePos {
  std::string file;
  int line = 0, column = 0;
};

// How a parameter is written in YAML and what it is in C++ (the alternative of ParamValue in
// brackets).
enum class ParamType {
  kText,      // any text [string]
  kWord,      // one of ParamSpec::words [string]
  kRegex,     // an ECMAScript regular expression, compiled once by the loader to check it [string]
  kInt,       // 3 [int64]
  kNumber,    // 0.25 [double]
  kBool,      // true, false [bool]
  kDuration,  // 250ms, 3s, 2m [Duration]
  kSize,      // 64KiB, 1500B: bytes [int64]
  kRate,      // 64KiB/s: bytes per second [int64]
  kConnections,  // which connections, by number: 1, 2-3, 5+ (base/util/connection_pattern.h)
                 // [string]
  kNode,         // the name of a server, ingress, link, worker or client of the topology [string]
  kServer,
  kLink,
  kWorker,
  kClient,        // the same, of that kind [string]
  kFaultLabel,    // the `as` of an inject step [string]
  kTextList,      // [a, b], or a alone [vector<string>]
  kDurationList,  // [1s, 2s] [vector<Duration>]
  kIntList,       // [0, 1] [vector<int64>]
  kJson,          // any YAML value, as JSON text: workflow inputs and results [string]
  kTextMap,       // {key: value} [map<string, string>]
  kObject,  // the loader's own: an object with a table of its own, named by words[0]; never in
            // Params
};

struct ParamSpec {
  std::string name;
  ParamType type = ParamType::kText;
  std::string doc;  // one sentence; with the unit and what the default means
  bool required = false;
  std::string default_text;  // as it would be written in YAML; "" = none. Parsed by the same rules.
  std::vector<std::string> words;  // of kWord
  // Inclusive limits of kInt, kNumber, kSize, kRate, and of kDuration in seconds.
  std::optional<double> min, max;
  // Of a kDuration: an upper limit of elapsed time, which grows with SQUALL_TIMEOUT_SCALE. Lower
  // limits and spans that are waited out do not.
  bool upper_limit = false;
};

using ParamTable = std::vector<ParamSpec>;
const ParamSpec* FindParam(const ParamTable& table, std::string_view name);

using ParamValue = std::variant<std::monostate, bool, std::int64_t, double, std::string, Duration,
                                std::vector<std::string>, std::vector<Duration>,
                                std::vector<std::int64_t>, std::map<std::string, std::string>>;

// Parameters that were checked against a table: a getter of the wrong type or of a name that is not
// in the table is a programmer error. A parameter with a default is always there.
class Params {
 public:
  Params() = default;
  Params(std::initializer_list<std::pair<const std::string, ParamValue>> values)
      : values_(values) {}
  void Set(std::string name, ParamValue value) { values_[std::move(name)] = std::move(value); }
  bool Has(std::string_view name) const;

  std::string Text(std::string_view name, std::string_view otherwise = "") const;
  std::int64_t Int(std::string_view name, std::int64_t otherwise = 0) const;
  double Number(std::string_view name, double otherwise = 0) const;
  bool Bool(std::string_view name, bool otherwise = false) const;
  Duration Time(std::string_view name, Duration otherwise = Duration::zero()) const;
  std::vector<std::string> Texts(std::string_view name) const;
  std::vector<Duration> Times(std::string_view name) const;
  std::vector<std::int64_t> Ints(std::string_view name) const;
  std::map<std::string, std::string> TextMap(std::string_view name) const;

  const std::map<std::string, ParamValue, std::less<>>& values() const { return values_; }

 private:
  std::map<std::string, ParamValue, std::less<>> values_;
};

// One kind of check, as scenarios/checks offers it.
struct CheckDefinition {
  std::string name;
  std::string doc;
  ParamTable params;
  std::vector<std::string> needs;  // kinds of event without which the verdict is unknown
  bool oracle = false;             // watches every run, unasked, as kOraclePrefix + name
};
// What an oracle's result is called: "oracle:fault_hit". The prefix keeps it apart from a
// scenario's own checks.
inline constexpr std::string_view kOraclePrefix = "oracle:";
using CheckTable = std::vector<CheckDefinition>;

// One check that a scenario asks for.
struct CheckSpec {
  std::string name;  // of the definition
  std::string
      id;  // what reports and `expect: {fail: ...}` call it; the name unless `id:` says otherwise
  Params params;
  SourcePos pos;
};

}  // namespace squall::scenarios
