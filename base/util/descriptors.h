#pragma once
// The limit of open descriptors of this process.

namespace squall {

// Raises it to what the system allows, as Go does for its programs: the usual soft limit of 1,024 is for programs that use
// select(), and a server of thousands of connections would stop accepting there. Does nothing where that is not possible.
void AllowAllDescriptors();

}  // namespace squall
