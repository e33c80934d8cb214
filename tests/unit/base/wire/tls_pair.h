#pragma once
// Two TLS sessions joined back to back, for tests.

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "base/util/clock.h"
#include "base/util/rng.h"
#include "base/wire/certificates.h"
#include "base/wire/tls.h"

namespace squall::wire {

// 2026-11-21T13:30:00Z; the machine's own date must not matter.
inline constexpr WallTime kPairNow{std::chrono::seconds(1795267800)};

// Minted once per test program: RSA keys take a while.
inline const CertificateSet& Catalogue() {
  static const CertificateSet set = [] {
    Rng rng(7);
    return MintCatalogue(kPairNow, rng);
  }();
  return set;
}

inline std::shared_ptr<TlsContext> MustServer(TlsServerOptions options) {
  auto context = TlsContext::Server(std::move(options));
  if (!context.ok()) ADD_FAILURE() << context.status();
  return *context;
}

inline std::shared_ptr<TlsContext> MustClient(TlsClientOptions options) {
  auto context = TlsContext::Client(std::move(options));
  if (!context.ok()) ADD_FAILURE() << context.status();
  return *context;
}

struct TlsPair {
  TlsPair(std::shared_ptr<TlsContext> server_context, std::shared_ptr<TlsContext> client_context,
          WallTime now = kPairNow)
      : server(std::move(server_context), now), client(std::move(client_context), now) {}

  // Carries bytes both ways, `step` at a time, until neither side has any left.
  void Pump(std::size_t step = SIZE_MAX) {
    for (;;) {
      const std::string up = client.TakeCiphertext();
      Deliver(server, up, step);
      const std::string down = server.TakeCiphertext();
      Deliver(client, down, step);
      if (up.empty() && down.empty()) return;
    }
  }

  TlsSession server;
  TlsSession client;

 private:
  static void Deliver(TlsSession& to, std::string_view bytes, std::size_t step) {
    while (!bytes.empty()) {
      to.FeedCiphertext(bytes.substr(0, step));
      bytes.remove_prefix(std::min(step, bytes.size()));
    }
  }
};

inline TlsServerOptions ServerWith(const TlsIdentity& identity) {
  TlsServerOptions options;
  options.identity = identity;
  return options;
}

inline TlsClientOptions ClientTrusting(std::string ca_pem, std::string name = "localhost") {
  TlsClientOptions options;
  options.ca_pem = std::move(ca_pem);
  options.server_name = std::move(name);
  return options;
}

}  // namespace squall::wire
