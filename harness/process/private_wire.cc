#include "harness/process/private_wire.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <functional>
#include <set>
#include <sstream>
#include <utility>

#include "harness/process/interfaces.h"
#include "harness/process/private_network.h"

namespace squall::harness {
namespace {

constexpr const char* kFarName = "wire";
constexpr const char* kThisThreads = "/proc/thread-self/ns/net";

std::set<int>& TakenNumbers() {
  static auto* const taken = new std::set<int>();
  return *taken;
}

// For as long as it lives the thread is in another network namespace.
class Visit {
 public:
  Visit() : home_(::open(kThisThreads, O_RDONLY | O_CLOEXEC)) {}
  ~Visit() {
    if (home_ < 0) return;
    const bool back = ::setns(home_, CLONE_NEWNET) == 0;
    SQUALL_CHECK(back, "the way back into one's own namespace is open");
    ::close(home_);
  }
  Visit(const Visit&) = delete;
  Visit& operator=(const Visit&) = delete;
  bool Enter(int other) { return home_ >= 0 && ::setns(other, CLONE_NEWNET) == 0; }
  bool Make() { return home_ >= 0 && ::unshare(CLONE_NEWNET) == 0; }

 private:
  const int home_;
};

// The kernel's counters of the thread's namespace: of each protocol a line with the names and one
// with the numbers.
std::uint64_t SumOf(std::string_view protocol, const std::set<std::string>& wanted) {
  std::ifstream file("/proc/thread-self/net/snmp");
  std::string names, numbers;
  while (std::getline(file, names) && std::getline(file, numbers)) {
    if (!names.starts_with(protocol)) continue;
    std::istringstream name_fields(names), number_fields(numbers);
    std::uint64_t sum = 0;
    std::string name, number;
    while (name_fields >> name && number_fields >> number)
      if (wanted.contains(name)) sum += std::stoull(number);
    return sum;
  }
  return 0;
}

std::string NearName(int number) { return fmt::format("wire{}", number); }

Status VisitFailed(int number) {
  return MakeStatus(StatusCode::kUnavailable, "a second network namespace: {}",
                    std::strerror(number));
}

}  // namespace

StatusOr<std::unique_ptr<PrivateWire>> PrivateWire::Create() {
  if (!InPrivateNetwork()) {
    return Status(StatusCode::kFailedPrecondition,
                  "a wire needs a network namespace of squall's own around it");
  }
  int number = 0;
  while (TakenNumbers().contains(number)) ++number;
  if (number > 254) return MakeStatus(StatusCode::kResourceExhausted, "too many wires");
  std::unique_ptr<PrivateWire> wire(new PrivateWire());
  wire->number_ = number;
  TakenNumbers().insert(number);  // given back by the destructor
  wire->near_address_ = fmt::format("198.18.{}.1", number);
  {
    Visit visit;
    if (!visit.Make()) return VisitFailed(errno);
    wire->namespace_ = ::open(kThisThreads, O_RDONLY | O_CLOEXEC);
    if (wire->namespace_ < 0) return VisitFailed(errno);
    SQUALL_ASSIGN_OR_RETURN(wire->control_, OpenControl());
    SQUALL_RETURN_IF_ERROR(SetInterfaceUp(wire->control_, "lo", true));
  }
  const std::string near = NearName(number);
  SQUALL_RETURN_IF_ERROR(MakeWire(near, kFarName, wire->namespace_));
  SQUALL_ASSIGN_OR_RETURN(const int here, OpenControl());
  Status set = SetInterfaceAddress(here, near, wire->near_address_);
  if (set.ok()) set = SetInterfaceUp(here, near, true);
  ::close(here);
  SQUALL_RETURN_IF_ERROR(set);
  SQUALL_RETURN_IF_ERROR(wire->ChangeAddress(false));
  SQUALL_RETURN_IF_ERROR(wire->SetUp(true));
  return wire;
}

PrivateWire::~PrivateWire() {
  // The kernel takes its time with a namespace that nobody holds; the wire goes at once.
  [[maybe_unused]] const Status gone = RemoveInterface(NearName(number_));
  if (control_ >= 0) ::close(control_);
  if (namespace_ >= 0) ::close(namespace_);
  TakenNumbers().erase(number_);
}

std::vector<std::string> PrivateWire::Launcher() const {
  return {"nsenter", fmt::format("--net=/proc/{}/fd/{}", ::getpid(), namespace_), "--"};
}

Status PrivateWire::SetUp(bool up) { return SetInterfaceUp(control_, kFarName, up); }

Status PrivateWire::ChangeAddress(bool other) {
  return SetInterfaceAddress(control_, kFarName,
                             fmt::format("198.18.{}.{}", number_, other ? 3 : 2));
}

StatusOr<std::uint64_t> PrivateWire::LostPackets() const {
  std::uint64_t lost = SumOf("Tcp:", {"RetransSegs"});
  Visit visit;
  if (!visit.Enter(namespace_)) return VisitFailed(errno);
  lost += SumOf("Ip:", {"OutNoRoutes", "InAddrErrors"});
  return lost;
}

}  // namespace squall::harness
