#include "scenarios/format/scenario.h"

#include <algorithm>

namespace squall::scenarios {
namespace {

template <typename T>
const T* Find(const std::vector<T>& items, std::string_view name) {
  for (const T& item : items) {
    if (item.name == name) return &item;
  }
  return nullptr;
}

}  // namespace

std::string_view WorldName(WorldKind world) {
  switch (world) {
    case WorldKind::kSim:
      return "sim";
    case WorldKind::kFake:
      return "fake";
    case WorldKind::kReal:
      return "real";
  }
  return "?";
}

std::optional<WorldKind> WorldFromName(std::string_view name) {
  for (const WorldKind world : {WorldKind::kSim, WorldKind::kFake, WorldKind::kReal}) {
    if (WorldName(world) == name) return world;
  }
  return std::nullopt;
}

bool MeantFor(const Needs& needs, WorldKind world) {
  return std::any_of(needs.worlds.begin(), needs.worlds.end(), [world](WorldKind meant) {
    return meant == world || (meant == WorldKind::kFake && world == WorldKind::kSim);
  });
}

const std::vector<std::string>& KnownTools() {
  static const auto* const kTools = new std::vector<std::string>{"core", "python", "go", "typescript"};
  return *kTools;
}

const ServerSpec* Topology::Server(std::string_view name) const { return Find(servers, name); }
const IngressSpec* Topology::Ingress(std::string_view name) const { return Find(ingresses, name); }
const LinkSpec* Topology::Link(std::string_view name) const { return Find(links, name); }
const WorkerSpec* Topology::Worker(std::string_view name) const { return Find(workers, name); }
const ClientSpec* Topology::Client(std::string_view name) const { return Find(clients, name); }

const ServerSpec* Topology::ServerBehind(std::string_view name) const {
  if (const LinkSpec* link = Link(name)) {
    return link->end == LinkSpec::End::kNode ? ServerBehind(link->to) : nullptr;
  }
  if (const IngressSpec* ingress = Ingress(name)) return Server(ingress->to);
  return Server(name);
}

TlsMode Topology::TlsAt(std::string_view name) const {
  if (const LinkSpec* link = Link(name)) {
    return link->end == LinkSpec::End::kNode ? TlsAt(link->to) : TlsMode::kNone;
  }
  if (const IngressSpec* ingress = Ingress(name)) return ingress->tls;
  const ServerSpec* server = Server(name);
  return server != nullptr ? server->tls : TlsMode::kNone;
}

std::string Topology::CertificateAt(std::string_view name) const {
  if (const LinkSpec* link = Link(name)) return CertificateAt(link->to);
  if (const IngressSpec* ingress = Ingress(name)) return ingress->certificate;
  const ServerSpec* server = Server(name);
  return server != nullptr ? server->certificate : "";
}

const Subject* Scenario::FindSubject(std::string_view subject_name) const {
  return Find(subjects, subject_name);
}

}  // namespace squall::scenarios
