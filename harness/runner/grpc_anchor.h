#pragma once
// Keeps gRPC's callback queue alive for the life of the process.

namespace squall::harness {

// gRPC 1.51 (Debian 12) serves all callback calls of a process from one completion queue, which it makes with the first channel
// that needs it and takes down with the last. Taking it down races with the queue's own threads: now and then it is released
// once too often and the process aborts ("ref_counted.h: assertion failed: prior > 0" under grpc_cq_internal_unref; seen in 1 of
// 20 subjects that dropped their clients). One channel that is never destroyed keeps the queue. Call it once, before the first
// client; the process then has to end by _exit, since gRPC's threads live on.
void AnchorGrpc();

}  // namespace squall::harness
