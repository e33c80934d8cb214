#pragma once
// Network interfaces by system calls, so that no tool has to be run and waited for. Internal to
// harness/process; all of it acts on the namespace of the socket or thread that is given, which
// squall made.

#include <string>

#include "base/util/status.h"

namespace squall::harness {

// A socket for the functions below, of the calling thread's network namespace for good.
StatusOr<int> OpenControl();
Status SetInterfaceUp(int control, const std::string& name, bool up);
Status SetInterfaceMtu(int control, const std::string& name, int bytes);
// IPv4, with the mask of its class; instead of the one that it has.
Status SetInterfaceAddress(int control, const std::string& name, const std::string& address);
// A wire (veth): `near` in the calling thread's namespace, `far` in that of the descriptor.
Status MakeWire(const std::string& near, const std::string& far, int far_namespace);
// With its other end. In the calling thread's namespace.
Status RemoveInterface(const std::string& name);

}  // namespace squall::harness
