#pragma once
// The certificates of simulated servers and workers: one catalogue for all runs.

#include "base/wire/certificates.h"

namespace squall::sim {

// Minted at the first call, which must come before time is virtual in a process that will need them
// (a forked run inherits its parent's). Always the same: they are good at the calendar date at
// which every run begins, and drawn from a seed of their own.
const wire::CertificateSet& TheCertificates();

}  // namespace squall::sim
