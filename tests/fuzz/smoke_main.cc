// Runs a fuzzer without libFuzzer: over the inputs of some folders, then over damaged ones until
// the time is up. What compilers of every build do in `make test`; finding things is libFuzzer's.
//
// Usage: X_smoke SECONDS [FOLDER or FILE]...
//
// An input that ends the process is left in the working directory as X_smoke.finding; X_smoke 0
// with it repeats the end.

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/util/clock.h"
#include "base/util/rng.h"
#include "tests/fuzz/damage.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
// Sanitizers would end the process without a signal, and we would not know on which input.
// NOLINTNEXTLINE(bugprone-reserved-identifier): the sanitizers' name for it
extern "C" const char* __asan_default_options() { return "abort_on_error=1"; }
// NOLINTNEXTLINE(bugprone-reserved-identifier): likewise
extern "C" const char* __ubsan_default_options() { return "abort_on_error=1:print_stacktrace=1"; }

namespace {

constexpr std::size_t kLongest = 4096;

std::string g_name;   // of the finding's file
std::string g_input;  // what runs now

void KeepInput() {
  std::FILE* file = std::fopen(g_name.c_str(), "wb");
  if (file == nullptr) return;
  std::fwrite(g_input.data(), 1, g_input.size(), file);
  std::fclose(file);
  std::fprintf(stderr, "fuzz: the input lies in %s\n", g_name.c_str());
}

void OnSignal(int /*signal*/) {
  KeepInput();
  ::_exit(1);
}

void Run(std::string input) {
  g_input = std::move(input);
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(g_input.data()), g_input.size());
}

std::vector<std::string> Read(int count, char** paths) {
  std::vector<std::string> inputs;
  const auto add = [&inputs](const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    inputs.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  };
  for (int i = 0; i < count; ++i) {
    if (!std::filesystem::is_directory(paths[i])) {
      add(paths[i]);
      continue;
    }
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(paths[i])) files.push_back(entry);
    std::sort(files.begin(), files.end());
    for (const auto& file : files) add(file);
  }
  return inputs;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fputs("usage: X_smoke SECONDS [FOLDER or FILE]...\n", stderr);
    return 2;
  }
  g_name = std::filesystem::path(argv[0]).filename().string() + ".finding";
  for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL}) std::signal(signal, OnSignal);
  // ctest ends a run that hangs with SIGTERM before it kills it.
  std::signal(SIGTERM, OnSignal);

  const squall::RealClock clock;
  const squall::SteadyTime end = clock.Now() + std::chrono::seconds(std::atoi(argv[1]));
  std::vector<std::string> inputs = Read(argc - 2, argv + 2);
  if (inputs.empty()) inputs.emplace_back();
  for (const std::string& input : inputs) Run(input);
  squall::Rng rng(2026);
  std::size_t runs = inputs.size();
  for (; clock.Now() < end; ++runs) {
    std::string input = squall::fuzz::Damage(inputs[rng.Below(inputs.size())], rng);
    if (input.empty()) input = rng.Hex(1 + rng.Below(64));
    if (input.size() > kLongest) input.resize(kLongest);
    Run(std::move(input));
  }
  std::printf("%zu runs over %zu inputs, no finding\n", runs, inputs.size());
  return 0;
}
