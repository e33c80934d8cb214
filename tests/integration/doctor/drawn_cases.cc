#include <algorithm>
#include <array>
#include <utility>

#include "tests/integration/doctor/cases.h"

namespace squall::doctor {
namespace {

using harness::NetFaultKind;
using wire::TlsFault;

template <typename T, std::size_t N>
const T& Pick(Rng& rng, const std::array<T, N>& from) {
  return from[rng.Below(N)];
}

std::string Word(Rng& rng, std::size_t least, std::size_t most) {
  std::string word;
  const std::size_t length = least + rng.Below(most - least + 1);
  while (word.size() < length) word += static_cast<char>('a' + rng.Below(26));
  return word;
}

// One slip of a finger: a character too much, too few, exchanged with its neighbour, or another.
std::string Slip(Rng& rng, std::string text, std::size_t from) {
  const std::string before = text;
  while (text == before) {
    const std::size_t at = from + rng.Below(text.size() - from - 1);
    switch (rng.Below(4)) {
      case 0:
        text.insert(at, 1, text[at]);
        break;
      case 1:
        text.erase(at, 1);
        break;
      case 2:
        std::swap(text[at], text[at + 1]);
        break;
      default:
        text[at] = text[at] == 'x' || text[at] == 'X' ? 'q' : (text[at] >= 'a' ? 'x' : 'X');
    }
  }
  return text;
}

// Nothing that a client that is right in all else would mind.
void Harmless(DoctorBed& bed, Rng rng) {
  switch (rng.Below(5)) {
    case 0:
      return bed.Disturb({.id = "late",
                          .kind = NetFaultKind::kLatency,
                          .latency = std::chrono::milliseconds(1 + rng.Below(40)),
                          .jitter = std::chrono::milliseconds(1)});
    case 1:
      return bed.Disturb(
          {.id = "slices", .kind = NetFaultKind::kSlice, .slice_bytes = 1 + rng.Below(60)});
    case 2:
      return bed.Disturb({.id = "narrow",
                          .kind = NetFaultKind::kBandwidth,
                          .bytes_per_second = 100'000 + rng.Below(900'000)});
    default:
      return;
  }
}

struct Label {
  std::string_view what, expected;
};

class Drawer {
 public:
  explicit Drawer(std::uint64_t seed) : rng_(seed) {}

  DoctorCase Draw(std::size_t number) {
    DoctorCase one = Any();
    one.name = fmt::format("drawn {}: {}", number, one.name);
    return one;
  }

 private:
  DoctorCase Any() {
    switch (rng_.Below(19)) {
      case 0:
        return Healthy();
      case 1:
        return Variable();
      case 2:
        return Stray();
      case 3:
        return Scheme();
      case 4:
        return Namespace();
      case 5:
        return Status();
      case 6:
        return Http();
      case 7:
      case 8:
        return Mode();
      case 9:
        return Denied();
      case 10:
        return Cut();
      case 11:
        return Banner();
      case 12:
        return Queue();
      case 13:
        return Proxy();
      case 14:
        return ProxyOfGo();
      case 15:
        return Type();
      case 16:
        return Attribute();
      case 17:
        return Version();
      default:
        return Network();
    }
  }

  // By value into each case: what is drawn for it stays its own.
  Rng Own() { return Rng(rng_.Next()); }
  Path AnyPath() { return kPaths[rng_.Below(4)]; }

  DoctorCase Healthy() {
    const Path path = AnyPath();
    const bool by_name = rng_.Below(2) == 0;
    return {fmt::format("healthy, {}", PathName(path)), "healthy",
            [path, by_name, own = Own()](DoctorBed& bed) {
              bed.Serve(path, {}, by_name);
              Harmless(bed, own);
            }};
  }

  DoctorCase Variable() {
    static constexpr std::array<std::string_view, 4> kNames = {
        "TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE", "TEMPORAL_API_KEY", "TEMPORAL_TASK_QUEUE"};
    const std::string name(Pick(rng_, kNames));
    const std::string slip = Slip(rng_, name, 9);
    return {fmt::format("{} for {}", slip, name), "settings.near_miss_name",
            [slip](DoctorBed& bed) {
              bed.options.stage = Stage::kConfig;
              bed.Set(slip, "some-value");
            }};
  }

  DoctorCase Stray() {
    static constexpr std::array<std::string_view, 5> kStray = {" ", "\n", "\t", "\"", "\r\n"};
    static constexpr std::array<Label, 4> kSettings = {{{"TEMPORAL_ADDRESS", "temporal:7233"},
                                                        {"TEMPORAL_NAMESPACE", "orders"},
                                                        {"TEMPORAL_API_KEY", "key-0123456789"},
                                                        {"TEMPORAL_TASK_QUEUE", "queue"}}};
    const Label setting = Pick(rng_, kSettings);
    const std::string stray(Pick(rng_, kStray));
    const bool front = rng_.Below(2) == 0;
    return {fmt::format("stray character in {}", setting.what), "settings.whitespace_or_quotes",
            [setting, stray, front](DoctorBed& bed) {
              bed.options.stage = Stage::kConfig;
              bed.Set("TEMPORAL_ADDRESS", "temporal:7233");
              bed.Set(setting.what, front ? stray + std::string(setting.expected)
                                          : std::string(setting.expected) + stray);
            }};
  }

  DoctorCase Scheme() {
    static constexpr std::array<std::string_view, 6> kSchemes = {"http",  "https", "grpc",
                                                                 "grpcs", "tcp",   "dns"};
    const std::string address =
        fmt::format("{}://{}:{}", Pick(rng_, kSchemes), Word(rng_, 3, 9), 1000 + rng_.Below(60000));
    return {address, "settings.scheme_in_address", [address](DoctorBed& bed) {
              bed.options.stage = Stage::kConfig;
              bed.Set("TEMPORAL_ADDRESS", address);
            }};
  }

  DoctorCase Namespace() {
    const Path path = AnyPath();
    const std::string right = Word(rng_, 5, 14);
    const std::string wrong = Slip(rng_, right, 0);
    return {fmt::format("namespace {} for {}, {}", wrong, right, PathName(path)),
            "namespace.missing", [=, own = Own()](DoctorBed& bed) {
              fakes::FakeServerOptions server;
              server.engine.namespaces = {"default", right};
              bed.Serve(path, std::move(server));
              bed.Set("TEMPORAL_NAMESPACE", wrong);
              Harmless(bed, own);
            }};
  }

  DoctorCase Status() {
    static constexpr std::array<Label, 10> kCodes = {{{"UNAVAILABLE", "grpc.unavailable"},
                                                      {"RESOURCE_EXHAUSTED", "grpc.rate_limited"},
                                                      {"UNIMPLEMENTED", "grpc.other_service"},
                                                      {"PERMISSION_DENIED", "auth.denied"},
                                                      {"UNAUTHENTICATED", "auth.api_key_missing"},
                                                      {"INTERNAL", "grpc.failing"},
                                                      {"UNKNOWN", "grpc.failing"},
                                                      {"DATA_LOSS", "grpc.failing"},
                                                      {"ABORTED", "grpc.failing"},
                                                      {"DEADLINE_EXCEEDED", "grpc.failing"}}};
    const Label code = Pick(rng_, kCodes);
    const Path path = AnyPath();
    const std::string text = Word(rng_, 3, 30);
    return {
        fmt::format("GetSystemInfo {}, {}", code.what, PathName(path)), std::string(code.expected),
        [=, own = Own()](DoctorBed& bed) {
          fakes::FakeServerOptions server;
          server.rules = Rules(fmt::format(
              R"({{"match": {{"method": "GetSystemInfo"}}, "do": {{"status": {{"code": "{}", "message": "{}"}}}}}})",
              code.what, text));
          bed.Serve(path, std::move(server));
          Harmless(bed, own);
        }};
  }

  DoctorCase Http() {
    static constexpr std::array<Label, 8> kStatuses = {{{"502", "http.bad_gateway"},
                                                        {"503", "http.bad_gateway"},
                                                        {"504", "http.bad_gateway"},
                                                        {"500", "http.bad_gateway"},
                                                        {"404", "http.not_routed"},
                                                        {"421", "http.not_routed"},
                                                        {"401", "http.forbidden"},
                                                        {"403", "http.forbidden"}}};
    const Label status = Pick(rng_, kStatuses);
    const Path path = AnyPath();
    const std::string body = "<html>" + Word(rng_, 0, 200) + "</html>";
    return {
        fmt::format("HTTP {}, {}", status.what, PathName(path)), std::string(status.expected),
        [=, own = Own()](DoctorBed& bed) {
          fakes::FakeServerOptions server;
          server.rules = Rules(fmt::format(
              R"({{"do": {{"http_answer": {{"status": {}, "body": "{}"}}}}}})", status.what, body));
          bed.Serve(path, std::move(server));
          Harmless(bed, own);
        }};
  }

  DoctorCase Mode() {
    using enum TlsFault;
    struct Row {
      TlsFault mode;
      std::string_view expected;
      bool identity = false;
    };
    static constexpr std::array<Row, 15> kModes = {
        {{kWrongCa, "tls.unknown_issuer"},
         {kExpired, "tls.certificate_expired"},
         {kNotYetValid, "tls.certificate_not_yet_valid"},
         {kWrongName, "tls.wrong_name"},
         {kSelfSigned, "tls.self_signed"},
         {kWeakKey, "tls.weak_certificate"},
         {kKeyMismatch, "tls.server_key_mismatch"},
         {kChainIncomplete, "tls.unknown_issuer"},
         {kRootRotated, "tls.unknown_issuer"},
         {kLeafRotated, "healthy"},
         {kTls12Only, "healthy"},
         {kNoAlpn, "tls.no_alpn"},
         {kAlpnHttp1, "tls.alpn_http1"},
         {kClientCertMissing, "tls.client_certificate_missing"},
         {kClientCertForeign, "tls.client_certificate_untrusted", true}}};
    const Row row = Pick(rng_, kModes);
    const bool by_name = rng_.Below(2) == 0;
    // That certificate has no addresses at all.
    const std::string expected = row.mode == kWrongName && !by_name
                                     ? "tls.address_not_in_certificate"
                                     : std::string(row.expected);
    return {fmt::format("TLS {}", wire::TlsModes()[static_cast<std::size_t>(row.mode)].name),
            expected, [row, by_name, own = Own()](DoctorBed& bed) {
              bed.ServeMode(row.mode, by_name, row.identity);
              Harmless(bed, own);
            }};
  }

  DoctorCase Denied() {
    static constexpr std::array<std::string_view, 8> kMethods = {"PollWorkflowTaskQueue",
                                                                 "PollActivityTaskQueue",
                                                                 "RespondWorkflowTaskCompleted",
                                                                 "RespondActivityTaskCompleted",
                                                                 "RecordActivityTaskHeartbeat",
                                                                 "RespondActivityTaskFailed",
                                                                 "DescribeNamespace",
                                                                 "Respond*"};
    const std::string method(Pick(rng_, kMethods));
    const Path path = AnyPath();
    return {
        fmt::format("{} denied, {}", method, PathName(path)), "auth.permission_rpc",
        [=, own = Own()](DoctorBed& bed) {
          fakes::FakeServerOptions server;
          server.rules = Rules(fmt::format(
              R"({{"match": {{"method": "{}"}}, "do": {{"status": {{"code": "PERMISSION_DENIED", "message": "Request unauthorized."}}}}}})",
              method));
          bed.Serve(path, std::move(server));
          Harmless(bed, own);
        }};
  }

  // HTTP/2 begins, and the connection ends somewhere in it.
  DoctorCase Cut() {
    const std::uint64_t bytes = 30 + rng_.Below(25);
    const auto with = rng_.Below(2) == 0 ? harness::CutWith::kFin : harness::CutWith::kReset;
    return {fmt::format("cut after {} bytes", bytes), "http.broken", [bytes, with](DoctorBed& bed) {
              bed.Serve(Path::kPlain);
              bed.Disturb({.id = "cut",
                           .kind = NetFaultKind::kCut,
                           .direction = harness::Direction::kDown,
                           .cut_after_bytes = bytes,
                           .cut_with = with});
            }};
  }

  DoctorCase Banner() {
    static constexpr std::array<std::string_view, 9> kBanners = {
        "SSH-2.0-dropbear_2022.83\r\n",
        "220 ProFTPD Server ready.\r\n",
        "* OK [CAPABILITY IMAP4rev1] ready\r\n",
        "+OK POP3 ready\r\n",
        "RFB 003.008\n",
        "-NOAUTH Authentication required.\r\n",
        "ERROR\r\n",
        ":irc.example.com NOTICE * :*** Looking up\r\n",
        "200 news.example.com ready\r\n"};
    const std::string banner(Pick(rng_, kBanners));
    const bool tls = rng_.Below(2) == 0;
    return {fmt::format("banner {}", banner.substr(0, 8)), "http.other_protocol",
            [banner, tls](DoctorBed& bed) {
              bed.Say({.banner = banner, .answer = [](std::string_view) { return ""; }});
              if (tls) bed.Set("TEMPORAL_TLS", "true");
            }};
  }

  DoctorCase Queue() {
    const Path path = AnyPath();
    const std::string right = Word(rng_, 6, 14);
    const std::string wrong = Slip(rng_, right, 0);
    const bool near = rng_.Below(2) == 0;
    return {fmt::format("queue {} for {}, {}", wrong, right, PathName(path)),
            near ? "queue.near_miss" : "queue.no_poller", [=, own = Own()](DoctorBed& bed) {
              bed.Serve(path);
              bed.Set("TEMPORAL_TASK_QUEUE", wrong);
              bed.options.stage = Stage::kIntegration;
              if (near) {
                bed.StartWorkflow(right);
                bed.Poll(right, true);
              }
              Harmless(bed, own);
            }};
  }

  DoctorCase Network() {
    const Path path = AnyPath();
    switch (rng_.Below(3)) {
      case 0:
        return {fmt::format("refused, {}", PathName(path)), "tcp.refused", [path](DoctorBed& bed) {
                  bed.Serve(path);
                  bed.Disturb({.id = "f", .kind = NetFaultKind::kRefuse});
                }};
      case 1:
        return {fmt::format("reset, {}", PathName(path)), "tcp.reset", [path](DoctorBed& bed) {
                  bed.Serve(path);
                  bed.Disturb({.id = "f", .kind = NetFaultKind::kReset});
                }};
      default:
        return {fmt::format("another port, {}", PathName(path)), "tcp.wrong_port",
                [path](DoctorBed& bed) {
                  bed.Serve(path);
                  bed.options.other_ports = {bed.worker_port()};
                  bed.Address(bed.ClosedPort());
                }};
    }
  }

  DoctorCase Proxy() {
    static constexpr std::array<Label, 9> kAnswers = {
        {{"403 Forbidden", "proxy.refused"},
         {"405 Method Not Allowed", "proxy.refused"},
         {"400 Bad Request", "proxy.refused"},
         {"500 Internal Error", "proxy.no_upstream"},
         {"502 Bad Gateway", "proxy.no_upstream"},
         {"504 Gateway Timeout", "proxy.no_upstream"},
         {"200 OK", "healthy"},
         {"200 Connection established", "healthy"},
         {"407 Proxy Authentication Required", "proxy.credentials"}}};
    const Label answer = Pick(rng_, kAnswers);
    const Path path = AnyPath();
    const std::string login = Word(rng_, 3, 9) + ":" + Word(rng_, 6, 20);
    const bool guarded = rng_.Below(2) == 0;
    return {
        fmt::format("HTTP proxy {}, {}", answer.what, PathName(path)), std::string(answer.expected),
        [=, own = Own()](DoctorBed& bed) {
          bed.Serve(path);
          Harmless(bed, own);
          bed.GoThrough({.status = std::string(answer.what), .credentials = guarded ? login : ""});
          bed.sources.proxy_credentials = login;
        }};
  }

  // A name that only the proxy knows, and NO_PROXY that has it in it or has not.
  DoctorCase ProxyOfGo() {
    const std::string domain = Word(rng_, 4, 9) + ".invalid",
                      host = Word(rng_, 3, 8) + "." + domain;
    const std::string other = Word(rng_, 4, 9) + ".test";
    const std::array<std::pair<std::string, bool>, 6> entries = {{{domain, true},
                                                                  {"." + domain, true},
                                                                  {"x.test, *." + domain, true},
                                                                  {other, false},
                                                                  {host + ":1", false},
                                                                  {"." + host, false}}};
    const auto [no_proxy, left_out] = Pick(rng_, entries);
    return {fmt::format("Go's proxy for {}, NO_PROXY {}", host, no_proxy),
            left_out ? "dns.no_such_name" : "healthy",
            [host = host, no_proxy = no_proxy](DoctorBed& bed) {
              bed.Serve(Path::kPlain);
              bed.GoThrough({});
              bed.Set("HTTPS_PROXY", std::exchange(bed.sources.proxy, ""));
              bed.Set("NO_PROXY", no_proxy);
              bed.Set("TEMPORAL_ADDRESS", host + ":7233");
              bed.options.sdk = *ParseSdk("go/1.50.0");
            }};
  }

  DoctorCase Type() {
    static constexpr std::array<std::string_view, 3> kTexts = {
        "unable to find {} type: {}. Supported types: [A, B]",
        "{} {} is not registered on this worker, available: a, b",
        "{} '{}': no such function is exported by the workflow bundle"};
    const std::string type = Word(rng_, 4, 20), queue = Word(rng_, 6, 14);
    const std::string text = fmt::format(fmt::runtime(Pick(rng_, kTexts)), "workflow", type);
    const Path path = AnyPath();
    const bool activity = rng_.Below(2) == 0, missing = rng_.Below(2) == 0;
    return {fmt::format("{} type {}, {}", activity ? "activity" : "workflow", type, PathName(path)),
            missing ? "worker.type_not_registered" : "healthy", [=](DoctorBed& bed) {
              bed.Serve(path);
              bed.Set("TEMPORAL_TASK_QUEUE", queue);
              bed.StartWorkflow(queue, activity ? "Some" : type);
              bed.DoWorkflowTask(queue, activity ? type : "", !activity && missing ? text : "");
              if (activity) bed.DoActivityTask(queue, missing ? text : "");
              bed.AwaitListed(queue);
              (activity ? bed.options.expectations.activity_types
                        : bed.options.expectations.workflow_types) = {type};
            }};
  }

  DoctorCase Attribute() {
    static constexpr std::array<std::string_view, 6> kTypes = {"Text", "Keyword",  "Int",
                                                               "Bool", "Datetime", "KeywordList"};
    const std::string name = Word(rng_, 6, 16), type(Pick(rng_, kTypes)), other(Pick(rng_, kTypes));
    const bool slip = rng_.Below(3) == 0;
    const std::string asked = slip ? Slip(rng_, name, 0) : name;
    const Path path = AnyPath();
    return {fmt::format("search attribute {} of {}, {}", asked, type, PathName(path)),
            slip            ? "types.search_attribute_missing"
            : other != type ? "types.search_attribute_type"
                            : "healthy",
            [=](DoctorBed& bed) {
              fakes::FakeServerOptions server;
              server.engine.search_attributes = {{name, other}};
              bed.Serve(path, std::move(server));
              bed.options.expectations.search_attributes = {{asked, type}};
            }};
  }

  DoctorCase Version() {
    const std::string queue = Word(rng_, 6, 14), deployment = Word(rng_, 3, 10),
                      build = Word(rng_, 4, 12);
    const bool current = rng_.Below(2) == 0;
    const Path path = AnyPath();
    return {fmt::format("version {}.{}, {}", deployment, build, PathName(path)),
            current ? "healthy" : "queue.version_not_current", [=, own = Own()](DoctorBed& bed) {
              bed.Serve(path);
              bed.Set("TEMPORAL_TASK_QUEUE", queue);
              bed.options.stage = Stage::kIntegration;
              for (const bool activities : {false, true})
                bed.PollAs(queue, activities, deployment, build);
              if (current) bed.MakeCurrent(queue, deployment, build);
              Harmless(bed, own);
            }};
  }

  Rng rng_;
};

}  // namespace

std::vector<DoctorCase> DrawnCases(std::uint64_t seed, std::size_t count) {
  Drawer drawer(seed);
  std::vector<DoctorCase> cases;
  for (std::size_t i = 0; i < count; ++i) cases.push_back(drawer.Draw(i + 1));
  return cases;
}

}  // namespace squall::doctor
