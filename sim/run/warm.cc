#include "sim/run/warm.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <sys/mman.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "scenarios/checks/registry.h"
#include "scenarios/format/fault_catalogue.h"
#include "scenarios/format/loader.h"
#include "sim/kernel/escape_net.h"
#include "sim/world/certificates.h"

namespace squall::sim {
namespace {

constexpr std::uintptr_t kHuge = std::uintptr_t{2} << 20;

// A copy of a mapping takes its place, at the same address and within huge pages as it lies in
// them.
void MoveIntoMemory(std::uintptr_t begin, std::uintptr_t end) {
  const std::size_t size = end - begin;
  void* space =
      ::mmap(nullptr, size + 2 * kHuge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (space == MAP_FAILED) return;
  const auto first = reinterpret_cast<std::uintptr_t>(space);
  const std::uintptr_t copy = ((first + kHuge - 1) & ~(kHuge - 1)) + begin % kHuge;
  auto* bytes = reinterpret_cast<void*>(copy);
  ::madvise(bytes, size, MADV_HUGEPAGE);
  std::memcpy(bytes, reinterpret_cast<const void*>(begin), size);
  if (::mprotect(bytes, size, PROT_READ | PROT_EXEC) == 0)
    ::mremap(bytes, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, reinterpret_cast<void*>(begin));
  // What is left of the space is address space only.
}

// What protobuf looks up when a message of the file is first described: the types of its fields,
// its reflection.
void WarmFile(const google::protobuf::FileDescriptor& file,
              std::set<const google::protobuf::FileDescriptor*>& seen) {
  if (!seen.insert(&file).second) return;
  for (int i = 0; i < file.dependency_count(); ++i) WarmFile(*file.dependency(i), seen);
  auto* factory = google::protobuf::MessageFactory::generated_factory();
  for (int i = 0; i < file.message_type_count(); ++i) {
    const auto* type = file.message_type(i);
    if (const auto* message = factory->GetPrototype(type)) message->GetReflection();
    for (int f = 0; f < type->field_count(); ++f) type->field(f)->message_type();
  }
}

void KeepCodeInMemory() {
  std::ifstream file("/proc/self/maps");
  std::vector<std::string> maps;
  for (std::string line; std::getline(file, line);) maps.push_back(line);
  for (const std::string& line : maps) {
    std::uintptr_t begin = 0, end = 0;
    char rights[5] = "";
    if (std::sscanf(line.c_str(), "%lx-%lx %4s", &begin, &end, rights) != 3) continue;
    // Code of files alone: the kernel's own page of code stays where it is.
    if (std::strcmp(rights, "r-xp") != 0 || line.find('/') == std::string::npos) continue;
    MoveIntoMemory(begin, end);
  }
}

}  // namespace

void WarmUp() {
  const auto* pool = google::protobuf::DescriptorPool::generated_pool();
  std::set<const google::protobuf::FileDescriptor*> seen;
  for (const char* name : {"temporal/api/workflowservice/v1/request_response.proto",
                           "temporal/api/operatorservice/v1/request_response.proto"}) {
    if (const auto* file = pool->FindFileByName(name)) WarmFile(*file, seen);
  }
  PrepareEscapeNet();
  // The tables behind checks and the reader of scenarios.
  scenarios::FaultCatalogue();
  static_cast<void>(scenarios::LoadScenario("", "none.yaml", scenarios::Checks()));
}

void WarmForks(Transport transport) {
  KeepCodeInMemory();
  if (transport == Transport::kSockets) TheCertificates();
}

}  // namespace squall::sim
