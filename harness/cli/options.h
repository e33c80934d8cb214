#pragma once
// What the command line says, command by command; cli.cc fills it in.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "harness/runner/environment.h"
#include "scenarios/format/scenario.h"

namespace squall::harness {

struct LibraryOptions {
  std::string library;  // --library; default: the library that comes with squall
};

struct RunCommand {
  LibraryOptions library;
  std::vector<std::string> patterns;  // names, ids, globs, or paths of scenario files
  std::vector<std::string> tags;
  std::vector<scenarios::WorldKind> worlds = {scenarios::WorldKind::kFake};
  std::string shard;  // "i/n"
  int jobs = 0;       // 0: two per CPU
  int repeat = 1;
  bool until_fail = false;
  std::optional<std::uint64_t> seed;
  bool keep = false;
  bool strict = false;
  std::string out = "squall-out";
  std::string junit, json;  // more copies of the reports
  std::optional<ExternalServer> external;
};

struct CheckCommand {
  LibraryOptions library;
  std::vector<std::string> paths;
  bool schema = false, reference = false;
};

struct ListCommand {
  LibraryOptions library;
  std::vector<std::string> patterns;
  std::vector<std::string> tags;
  bool checks = false, faults = false;
  std::string example;  // a fault, as TARGET/NAME: its example is printed instead
};

struct JudgeCommand {
  std::vector<std::string> folders;
};

struct ReportCommand {
  std::vector<std::string> paths;  // folders of runs or subjects, or journal files
  std::string out = "timeline.html";
};

struct RunOneCommand {
  std::string file, subject, work;
  scenarios::WorldKind world = scenarios::WorldKind::kFake;
  std::uint64_t seed = 1;
  std::optional<ExternalServer> external;
};

// Each returns an exit code of exit_codes.h.
int Run(const RunCommand& command);
int Check(const CheckCommand& command);
int List(const ListCommand& command);
int JudgeFolders(const JudgeCommand& command);
int Report(const ReportCommand& command);
int RunOne(const RunOneCommand& command);

// Becomes the program of this name that stands beside this one, with these arguments; returns only
// when that cannot be started.
int Become(std::string_view program, const std::vector<std::string>& arguments);

// The commented default of squall.toml.
std::string DefaultConfig();

// Parses argv and runs the command.
int Main(int argc, char** argv);

}  // namespace squall::harness
