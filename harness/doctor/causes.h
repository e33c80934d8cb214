#pragma once
// The causes that the doctor and `squall explain` can name: one catalogue, so that both mean the
// same by a name, and so that tests can ask for each.

#include <span>
#include <string>
#include <string_view>

namespace squall::doctor {

// What is looked at, in this order.
enum class Layer {
  kSettings,
  kDns,
  kTcp,
  kProxy,  // an HTTP proxy that connections go through
  kTls,
  kHttp2,
  kGrpc,
  kPermission,
  kNamespace,
  kTaskQueue,
  kTypes,   // what workers have registered, and search attributes: --expect-...
  kPath,    // --deep: what only shows after a while
  kCanary,  // --canary
  kWorker,  // inside the worker's own program: only its texts tell (squall explain)
};
// "settings", "dns", ..., "task queue".
std::string_view LayerName(Layer layer);
// Those that an examination looks at.
inline constexpr int kLayers = static_cast<int>(Layer::kCanary) + 1;

struct Cause {
  std::string_view id;  // stable, in JSON and in docs/doctor.md: "tls.plaintext_to_tls"
  Layer layer;
  std::string_view title;  // one sentence, without a full stop
  std::string_view fix;    // what to change
  std::string_view rows;   // of the incidents: "E5"; "" where it is none of theirs
};

// In the order of layers; ids are unique.
std::span<const Cause> Causes();
// Null for an unknown id.
const Cause* FindCause(std::string_view id);
// The catalogue as a Markdown table, for docs/doctor.md.
std::string CausesTable();

}  // namespace squall::doctor
