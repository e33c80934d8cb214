// The world's links: a TCP fault proxy each, and a frame-aware one behind it where a step injects
// what needs it.

#include <set>

#include "base/util/rng.h"
#include "harness/process/private_names.h"
#include "harness/runner/harness_world.h"

namespace squall::harness {

using scenarios::FaultNeed;
using scenarios::LinkSpec;
using scenarios::TlsMode;

void HarnessWorld::LinkNode::SetUpstream(const HostPort& upstream) {
  if (frames != nullptr) {
    frames->SetUpstream(upstream);
  } else {
    proxy->SetUpstream(upstream);
  }
}

Status HarnessWorld::MakeLinks() {
  const std::set<std::string> with_frames = NodesThatNeed(subject_, FaultNeed::kFrames);
  const std::set<std::string> wired = NodesThatNeed(subject_, FaultNeed::kOwnWire);
  const std::set<std::string> named = NodesThatNeed(subject_, FaultNeed::kOwnNames);
  if (!named.empty()) {
    SQUALL_ASSIGN_OR_RETURN(names_, NameServer::Create(executor_, {"127.0.0.1", kNamesPort}));
  }
  for (auto& [name, node] : links_) {
    if (named.contains(name)) {
      SQUALL_RETURN_IF_ERROR(names_->Add(DnsNameOf(name), "127.0.0.1"));
      node.named = true;
    }
    if (node.spec->end == LinkSpec::End::kClosed) {
      SQUALL_ASSIGN_OR_RETURN(node.closed, PortLease::Take());
      continue;
    }
    ProxyOptions options;
    options.link = name;
    if (wired.contains(name)) {
      SQUALL_ASSIGN_OR_RETURN(node.wire, PrivateWire::Create());
      options.listen.host = node.wire->near_address();
    }
    options.seed = Rng(options_.seed).Split("link " + name).Next();
    const auto server = servers_.find(node.spec->to);
    if (server != servers_.end()) {
      SQUALL_ASSIGN_OR_RETURN(options.upstream, ParseHostPort(server->second.server->address()));
    } else {
      // Nobody listens there until the ingress is up, or ever.
      SQUALL_ASSIGN_OR_RETURN(node.closed, PortLease::Take());
      options.upstream = {"127.0.0.1", node.closed.port()};
    }
    if (with_frames.contains(name) && node.spec->end == LinkSpec::End::kNode) {
      SQUALL_RETURN_IF_ERROR(MakeFrames(node, options.upstream));
      options.upstream = {"127.0.0.1", node.frames->port()};
    }
    SQUALL_ASSIGN_OR_RETURN(node.proxy, TcpProxy::Create(executor_, journal_, std::move(options)));
    if (node.spec->end == LinkSpec::End::kSilent) {
      NetFault silent;
      silent.id = name + " is silent";
      silent.kind = NetFaultKind::kBlackhole;
      SQUALL_RETURN_IF_ERROR(node.proxy->Set(std::move(silent)));
    }
  }
  return absl::OkStatus();
}

Status HarnessWorld::MakeFrames(LinkNode& node, HostPort upstream) {
  const std::string& name = node.spec->name;
  GrpcLinkOptions options;
  options.link = name;
  options.upstream = std::move(upstream);
  options.seed = Rng(options_.seed).Split("frames " + name).Next();
  options.certificates = &*certificates_;
  const TlsMode tls = topology_.TlsAt(name);
  if (tls != TlsMode::kNone) options.identity = topology_.CertificateAt(name);
  options.require_client_certificate = tls == TlsMode::kMutual;
  SQUALL_ASSIGN_OR_RETURN(node.frames, MakeGrpcLink(executor_, journal_, std::move(options)));
  return absl::OkStatus();
}

}  // namespace squall::harness
