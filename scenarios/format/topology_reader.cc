#include "scenarios/format/topology_reader.h"

#include <algorithm>

#include "base/util/text.h"
#include "scenarios/format/step_reader.h"
#include "scenarios/format/tables.h"

namespace squall::scenarios {
namespace {

TlsMode TlsFrom(const std::string& word) {
  return word == "mutual" ? TlsMode::kMutual : word == "server" ? TlsMode::kServer : TlsMode::kNone;
}
StartMode StartFrom(const Params& params) {
  return params.Text("start") == "manual" ? StartMode::kManual : StartMode::kAuto;
}

class TopologyReader {
 public:
  TopologyReader(const ReadContext& context, KnownNames* names) : context_(context), names_(names) {
    context_.names = names;
  }

  StatusOr<Topology> Read(const YamlNode& node) {
    SQUALL_ASSIGN_OR_RETURN(const ReadObject object,
                            ReadTable(context_, node, "'topology'", TableOf("topology").keys));
    // All names first: what refers to them may stand before them.
    SQUALL_RETURN_IF_ERROR(Declare(object, "servers", ParamType::kServer));
    SQUALL_RETURN_IF_ERROR(Declare(object, "ingresses", ParamType::kNode));
    SQUALL_RETURN_IF_ERROR(Declare(object, "links", ParamType::kLink));
    SQUALL_RETURN_IF_ERROR(Declare(object, "workers", ParamType::kWorker));
    SQUALL_RETURN_IF_ERROR(Declare(object, "clients", ParamType::kClient));
    names_->nodes["direct"] = ParamType::kClient;
    names_->check_nodes = true;
    SQUALL_RETURN_IF_ERROR(Each(object, "servers", "server", &TopologyReader::ReadServer));
    if (topology_.servers.empty()) return ErrorAt(context_.file, node, "'topology' has no server");
    SQUALL_RETURN_IF_ERROR(Each(object, "ingresses", "ingress", &TopologyReader::ReadIngress));
    SQUALL_RETURN_IF_ERROR(Each(object, "links", "link", &TopologyReader::ReadLink));
    ClientSpec direct;
    direct.name = "direct";
    direct.connect.to = topology_.servers.front().name;
    direct.ns = topology_.servers.front().namespaces.empty()
                    ? "default"
                    : topology_.servers.front().namespaces.front();
    direct.connect.api_key = KeyFor(direct.connect.to, "");
    topology_.clients.push_back(direct);
    SQUALL_RETURN_IF_ERROR(Each(object, "workers", "worker", &TopologyReader::ReadWorker));
    SQUALL_RETURN_IF_ERROR(Each(object, "clients", "client", &TopologyReader::ReadClient));
    return std::move(topology_);
  }

 private:
  Status Declare(const ReadObject& object, const char* key, ParamType kind) {
    const YamlNode* map = object.Node(key);
    if (map == nullptr || map->kind == YamlNode::Kind::kNull) return absl::OkStatus();
    if (map->kind != YamlNode::Kind::kMap) {
      return ErrorAt(context_.file, *map,
                     fmt::format("'{}' is a map from names, not {}", key, map->KindName()));
    }
    for (const auto& [name, value] : map->members) {
      SQUALL_RETURN_IF_ERROR(CheckIdentifier(context_, name, "a node"));
      if (name.text == "closed" || name.text == "silent" || name.text == "all") {
        return ErrorAt(context_.file, name,
                       fmt::format("'{}' is a word of the format and no name", name.text));
      }
      if (kind == ParamType::kClient && name.text == "direct") continue;
      if (!names_->nodes.emplace(name.text, kind).second) {
        return ErrorAt(context_.file, name, fmt::format("two nodes are named '{}'", name.text));
      }
    }
    return absl::OkStatus();
  }

  // Reads each node of a list: `read` gets it with name and place, fills in the rest and keeps it.
  template <typename Spec>
  Status Each(const ReadObject& object, const char* key, const char* table_name,
              Status (TopologyReader::*read)(Spec, const ReadObject&)) {
    const YamlNode* map = object.Node(key);
    if (map == nullptr) return absl::OkStatus();
    const ObjectTable& table = TableOf(table_name);
    for (const auto& [name, value] : map->members) {
      SQUALL_ASSIGN_OR_RETURN(
          const ReadObject node,
          ReadTable(context_, value, fmt::format("{} '{}'", table_name, name.text), table.keys,
                    table.shorthand));
      Spec spec;
      spec.name = name.text;
      spec.pos = PosOf(context_, name);
      SQUALL_RETURN_IF_ERROR((this->*read)(std::move(spec), node));
    }
    return absl::OkStatus();
  }

  Status ReadServer(ServerSpec server, const ReadObject& object) {
    server.namespaces = object.params.Texts("namespaces");
    server.tls = TlsFrom(object.params.Text("tls"));
    server.certificate = object.params.Text("certificate");
    server.api_keys = object.params.Texts("api_keys");
    server.frontends = static_cast<int>(object.params.Int("frontends"));
    server.keep_data = object.params.Text("data") == "kept";
    server.start = StartFrom(object.params);
    topology_.servers.push_back(std::move(server));
    return absl::OkStatus();
  }

  Status ReadIngress(IngressSpec ingress, const ReadObject& object) {
    ingress.to = object.params.Text("to");
    ingress.tls = TlsFrom(object.params.Text("tls"));
    ingress.certificate = object.params.Text("certificate");
    ingress.http1 = object.params.Text("transport") == "http1";
    ingress.internal = object.params.Text("reach") == "internal";
    ingress.idle_timeout = object.params.Time("idle_timeout");
    ingress.pool = static_cast<int>(object.params.Int("pool"));
    ingress.recycle_after = static_cast<int>(object.params.Int("recycle_after"));
    ingress.recycle_age = object.params.Time("recycle_age");
    if (ingress.pool == 0 &&
        (ingress.recycle_after > 0 || ingress.recycle_age > Duration::zero())) {
      return ErrorAt(context_.file,
                     *object.Node(ingress.recycle_after > 0 ? "recycle_after" : "recycle_age"),
                     "what is recycled is a connection of a pool: say 'pool' as well");
    }
    ingress.start = StartFrom(object.params);
    topology_.ingresses.push_back(std::move(ingress));
    return absl::OkStatus();
  }

  Status ReadLink(LinkSpec link, const ReadObject& object) {
    link.to = object.params.Text("to");
    if (link.to == "closed" || link.to == "silent") {
      link.end = link.to == "closed" ? LinkSpec::End::kClosed : LinkSpec::End::kSilent;
      link.to.clear();
    } else if (topology_.Server(link.to) == nullptr && topology_.Ingress(link.to) == nullptr) {
      std::vector<std::string> candidates = {"closed", "silent"};
      for (const auto& [name, kind] : names_->nodes) {
        if (kind == ParamType::kServer || kind == ParamType::kNode) candidates.push_back(name);
      }
      const YamlNode* place = object.Node("to");
      return ErrorAt(
          context_.file, *place,
          fmt::format("link '{}' leads to '{}', which is no server and no ingress{}", link.name,
                      EscapeControl(link.to), DidYouMean(link.to, candidates)));
    }
    topology_.links.push_back(std::move(link));
    return absl::OkStatus();
  }

  std::string KeyFor(const std::string& to, const std::string& given) const {
    if (!given.empty()) return given == "none" ? "" : given;
    const ServerSpec* server = topology_.ServerBehind(to);
    return server == nullptr || server->api_keys.empty() ? "" : server->api_keys.front();
  }

  StatusOr<ConnectSpec> ReadConnect(const ReadObject& owner, const std::string& what) {
    ConnectSpec connect;
    const YamlNode* node = owner.Node("connect");
    if (node == nullptr) {
      if (topology_.links.size() == 1) {
        connect.to = topology_.links.front().name;
      } else if (topology_.links.empty() && topology_.servers.size() == 1 &&
                 topology_.ingresses.empty()) {
        connect.to = topology_.servers.front().name;
      } else {
        return ErrorAt(
            owner.pos,
            fmt::format(
                "{} lacks 'connect': there is more than one link, ingress or server to choose from",
                what));
      }
      connect.api_key = KeyFor(connect.to, "");
      return connect;
    }
    const ObjectTable& table = TableOf("connect");
    SQUALL_ASSIGN_OR_RETURN(const ReadObject object,
                            ReadTable(context_, *node, fmt::format("'connect' of {}", what),
                                      table.keys, table.shorthand));
    const Params& p = object.params;
    connect.to = p.Text("to");
    const ParamType kind = names_->nodes.find(connect.to)->second;
    if (kind == ParamType::kWorker || kind == ParamType::kClient) {
      return ErrorAt(context_.file, *object.Node("to"),
                     fmt::format("{} connects to a link, an ingress or a server, and '{}' is none",
                                 what, connect.to));
    }
    const std::string tls = p.Text("tls");
    connect.tls = tls == "on"    ? ConnectSpec::Tls::kOn
                  : tls == "off" ? ConnectSpec::Tls::kOff
                                 : ConnectSpec::Tls::kAuto;
    connect.ca = p.Text("ca");
    connect.server_name = p.Text("server_name");
    connect.client_certificate = p.Text("client_certificate");
    connect.api_key = KeyFor(connect.to, p.Text("api_key"));
    return connect;
  }

  Status ReadWorker(WorkerSpec worker, const ReadObject& object) {
    const Params& p = object.params;
    const std::string what = fmt::format("worker '{}'", worker.name);
    const std::string kind = p.Text("kind");
    worker.kind = kind == "host"      ? WorkerSpec::Kind::kHost
                  : kind == "python"  ? WorkerSpec::Kind::kPython
                  : kind == "command" ? WorkerSpec::Kind::kCommand
                                      : WorkerSpec::Kind::kCore;
    worker.host = p.Text("host");
    worker.command = p.Texts("command");
    worker.args = p.Texts("args");
    worker.env = p.TextMap("env");
    worker.ns = p.Text("namespace");
    worker.task_queue = p.Text("task_queue");
    worker.grace = p.Time("grace");
    worker.start = StartFrom(p);
    worker.health = p.Text("health");
    if ((worker.kind == WorkerSpec::Kind::kCommand) == worker.command.empty()) {
      return ErrorAt(
          worker.pos,
          fmt::format("{}: 'command' belongs to kind command, and to no other kind", what));
    }
    if (worker.kind == WorkerSpec::Kind::kHost && worker.host.empty()) {
      return ErrorAt(worker.pos,
                     fmt::format("{} lacks 'host': a worker of the kind host says which", what));
    }
    if (!worker.host.empty() && worker.kind != WorkerSpec::Kind::kHost) {
      return ErrorAt(worker.pos, fmt::format("{}: 'host' belongs to the kind host", what));
    }
    SQUALL_ASSIGN_OR_RETURN(worker.connect, ReadConnect(object, what));
    if (const YamlNode* restart = object.Node("restart")) {
      const ObjectTable& table = TableOf("restart");
      SQUALL_ASSIGN_OR_RETURN(const ReadObject policy,
                              ReadTable(context_, *restart, fmt::format("'restart' of {}", what),
                                        table.keys, table.shorthand));
      worker.restart.back_off = policy.params.Times("on_exit");
      worker.restart.on_exit = !worker.restart.back_off.empty();
      if (worker.restart.on_exit == policy.params.Has("policy")) {
        return ErrorAt(
            context_.file, *restart,
            fmt::format("'restart' of {} is either never or {{on_exit: [pauses]}}", what));
      }
    }
    const std::int64_t count = p.Int("count");
    if (count == 1) {
      topology_.workers.push_back(std::move(worker));
      return absl::OkStatus();
    }
    names_->nodes.erase(worker.name);
    worker.count = static_cast<int>(count);
    for (int i = 1; i <= worker.count; ++i) {
      WorkerSpec copy = worker;
      copy.name = fmt::format("{}-{}", worker.name, i);
      if (!names_->nodes.emplace(copy.name, ParamType::kWorker).second) {
        return ErrorAt(worker.pos, fmt::format("two nodes are named '{}'", copy.name));
      }
      topology_.workers.push_back(std::move(copy));
    }
    return absl::OkStatus();
  }

  Status ReadClient(ClientSpec client, const ReadObject& object) {
    client.ns = object.params.Text("namespace");
    client.timeout = object.params.Time("timeout");
    SQUALL_ASSIGN_OR_RETURN(client.connect,
                            ReadConnect(object, fmt::format("client '{}'", client.name)));
    if (client.name == "direct") {
      topology_.clients.front() = std::move(client);
    } else {
      topology_.clients.push_back(std::move(client));
    }
    return absl::OkStatus();
  }

  ReadContext context_;
  KnownNames* names_;
  Topology topology_;
};

}  // namespace

StatusOr<Topology> ReadTopology(const ReadContext& context, const YamlNode& node,
                                KnownNames* names) {
  return TopologyReader(context, names).Read(node);
}

}  // namespace squall::scenarios
