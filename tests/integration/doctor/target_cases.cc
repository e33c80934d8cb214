#include <algorithm>

#include "tests/integration/doctor/case_list.h"

namespace squall::doctor {
namespace {

using harness::NetFaultKind;
using wire::TlsFault;

class TargetCaseList final : CaseList {
 public:
  std::vector<DoctorCase> Make() {
    Healthy();
    Calls();
    Access();
    Names();
    Network();
    Tls();
    Strangers();
    Ingresses();
    return std::move(cases_);
  }

 private:
  void AddRule(const std::string& name, const std::string& expected, const std::string& rule,
               bool silent = false) {
    AddPaths(
        name, expected,
        [rule](DoctorBed& bed, Path path) {
          fakes::FakeServerOptions server;
          server.rules = Rules(rule);
          bed.Serve(path, std::move(server));
        },
        silent);
  }

  void Healthy() {
    AddPaths("healthy", "healthy", [](DoctorBed& bed, Path path) { bed.Serve(path); });
    AddPaths("healthy by name", "healthy",
             [](DoctorBed& bed, Path path) { bed.Serve(path, {}, true); });
    AddPaths("healthy with pollers", "healthy", [](DoctorBed& bed, Path path) {
      bed.Serve(path);
      bed.Set("TEMPORAL_TASK_QUEUE", "orders");
      bed.options.expect_pollers = true;
      bed.Poll("orders", false);
      bed.Poll("orders", true);
    });
    AddPaths("healthy in small pieces", "healthy", [](DoctorBed& bed, Path path) {
      bed.Serve(path);
      bed.Disturb({.id = "slice", .kind = NetFaultKind::kSlice, .slice_bytes = 7});
    });
  }

  void Calls() {
    AddRule(
        "UNAVAILABLE", "grpc.unavailable",
        R"({"match": {"method": "GetSystemInfo"}, "do": {"status": {"code": "UNAVAILABLE", "message": "injected"}}})");
    AddRule(
        "RESOURCE_EXHAUSTED", "grpc.rate_limited",
        R"({"match": {"method": "GetSystemInfo"}, "do": {"status": {"code": "RESOURCE_EXHAUSTED", "message": "rate"}}})");
    AddRule(
        "INTERNAL", "grpc.failing",
        R"({"match": {"method": "GetSystemInfo"}, "do": {"status": {"code": "INTERNAL", "message": "injected"}}})");
    AddRule(
        "another gRPC service", "grpc.other_service",
        R"({"do": {"status": {"code": "UNIMPLEMENTED", "message": "unknown service temporal.api.workflowservice.v1.WorkflowService"}}})");
    AddRule(
        "answers garbage", "grpc.garbled",
        R"({"match": {"method": "GetSystemInfo"}, "do": {"malformed": {"how": "compressed"}}})");
    AddRule("no trailers", "grpc.garbled",
            R"({"match": {"method": "GetSystemInfo"}, "do": "missing_trailers"})");
    AddRule("HTTP 502", "http.bad_gateway", R"({"do": {"http_answer": {"status": 502}}})");
    AddRule("HTTP 503", "http.bad_gateway", R"({"do": {"http_answer": {"status": 503}}})");
    AddRule("HTTP 504", "http.bad_gateway", R"({"do": {"http_answer": {"status": 504}}})");
    AddRule("HTTP 404", "http.not_routed", R"({"do": {"http_answer": {"status": 404}}})");
    AddRule("HTTP 403", "http.forbidden", R"({"do": {"http_answer": {"status": 403}}})");
    AddRule("HTTP/1.1 502 in place of HTTP/2", "http.bad_gateway",
            R"({"on": "connection", "do": {"http_answer": {"status": 502, "version": "1.1"}}})");
    AddRule(
        "GOAWAY", "http.goaway",
        R"({"match": {"method": "GetSystemInfo"}, "on": "call", "do": {"goaway": {"error": "ENHANCE_YOUR_CALM", "last_stream": "none", "close": true}}})");
    AddRule("the connection is reset on the call", "http.broken",
            R"({"match": {"method": "GetSystemInfo"}, "do": "reset"})");
    AddRule("GetSystemInfo hangs", "grpc.silent",
            R"({"match": {"method": "GetSystemInfo"}, "do": "hang"})", true);
  }

  void Access() {
    const auto guarded = [](fakes::FakeServerOptions& server) {
      server.frontend.api_keys = {"right-key-0123456789"};
    };
    AddPaths("API key right", "healthy", [guarded](DoctorBed& bed, Path path) {
      fakes::FakeServerOptions server;
      guarded(server);
      bed.Serve(path, std::move(server));
      bed.Set("TEMPORAL_API_KEY", "right-key-0123456789");
      if (path == Path::kPlain) bed.Set("TEMPORAL_TLS", "false");
    });
    AddPaths("API key missing", "auth.api_key_missing", [guarded](DoctorBed& bed, Path path) {
      fakes::FakeServerOptions server;
      guarded(server);
      bed.Serve(path, std::move(server));
    });
    AddPaths("API key of somebody else", "auth.api_key_refused",
             [guarded](DoctorBed& bed, Path path) {
               fakes::FakeServerOptions server;
               guarded(server);
               bed.Serve(path, std::move(server));
               bed.Set("TEMPORAL_API_KEY", "wrong-key-0123456789");
               if (path == Path::kPlain) bed.Set("TEMPORAL_TLS", "false");
             });
    AddPaths("API key of another namespace", "auth.wrong_namespace", [](DoctorBed& bed, Path path) {
      fakes::FakeServerOptions server;
      server.frontend.scoped_keys = {
          {.key = "right-key-0123456789", .namespaces = {"billing"}, .methods = {}}};
      bed.Serve(path, std::move(server));
      bed.Set("TEMPORAL_API_KEY", "right-key-0123456789");
      if (path == Path::kPlain) bed.Set("TEMPORAL_TLS", "false");
    });
    AddPaths("API key that may only read", "auth.permission_rpc", [](DoctorBed& bed, Path path) {
      fakes::FakeServerOptions server;
      server.frontend.scoped_keys = {{.key = "right-key-0123456789",
                                      .namespaces = {},
                                      .methods = {"Get*", "Describe*", "List*"}}};
      bed.Serve(path, std::move(server));
      bed.Set("TEMPORAL_API_KEY", "right-key-0123456789");
      if (path == Path::kPlain) bed.Set("TEMPORAL_TLS", "false");
    });
    AddRule(
        "polls denied", "auth.permission_rpc",
        R"({"match": {"method": "Poll*"}, "do": {"status": {"code": "PERMISSION_DENIED", "message": "Request unauthorized."}}})");
    AddRule(
        "everything in the namespace denied", "auth.denied",
        R"({"match": {"namespace": "default"}, "do": {"status": {"code": "PERMISSION_DENIED", "message": "Request unauthorized."}}})");
    // With a client certificate the server knows who it is: the namespace is another's.
    for (DoctorCase& one : cases_) {
      if (one.name == "everything in the namespace denied, mTLS")
        one.expected = "auth.wrong_namespace";
    }
    AddRule(
        "GetSystemInfo denied", "auth.denied",
        R"({"do": {"status": {"code": "PERMISSION_DENIED", "message": "Request unauthorized."}}})");
  }

  void Names() {
    AddPaths("namespace missing", "namespace.missing", [](DoctorBed& bed, Path path) {
      fakes::FakeServerOptions server;
      server.engine.namespaces.clear();
      bed.Serve(path, std::move(server));
    });
    AddPaths("namespace written wrong", "namespace.missing", [](DoctorBed& bed, Path path) {
      fakes::FakeServerOptions server;
      server.engine.namespaces = {"default", "food-truck"};
      bed.Serve(path, std::move(server));
      bed.Set("TEMPORAL_NAMESPACE", "foodtruck");
    });
    AddPaths("namespace in the state DELETED", "namespace.deleted", [](DoctorBed& bed, Path path) {
      bed.Serve(path);
      const std::string name = bed.Unique("food-truck");
      bed.DeleteNamespace(name);
      bed.Set("TEMPORAL_NAMESPACE", name);
    });
    AddPaths("namespace renamed by its deletion", "namespace.deleted",
             [](DoctorBed& bed, Path path) {
               bed.Serve(path);
               const std::string name = bed.Unique("food-truck");
               bed.DeleteNamespace(name + "-deleted-25c38");
               bed.Set("TEMPORAL_NAMESPACE", name);
             });
    const auto queue = [](DoctorBed& bed, Path path) {
      bed.Serve(path);
      const std::string name = bed.Unique("food-truck");
      bed.Set("TEMPORAL_TASK_QUEUE", name);
      bed.options.stage = Stage::kIntegration;
      return name;
    };
    AddPaths("nobody polls", "queue.no_poller",
             [queue](DoctorBed& bed, Path path) { bed.StartWorkflow(queue(bed, path)); });
    AddPaths("somebody polls another spelling", "queue.near_miss",
             [queue](DoctorBed& bed, Path path) {
               std::string other = queue(bed, path);
               std::erase(other, '-');
               bed.StartWorkflow(other);
               bed.AwaitListed(other);
               bed.Poll(other, true);
             });
    AddPaths("only activities are polled for, and workflows wait", "queue.half_polled",
             [queue](DoctorBed& bed, Path path) {
               const std::string name = queue(bed, path);
               bed.Poll(name, true);
               bed.StartWorkflow(name);
             });
  }

  void Network() {
    const auto disturbed = [](NetFaultKind kind) {
      return [kind](DoctorBed& bed, Path path) {
        bed.Serve(path);
        bed.Disturb({.id = "fault", .kind = kind});
      };
    };
    AddPaths("refused", "tcp.refused", disturbed(NetFaultKind::kRefuse));
    AddPaths("accepted and reset", "tcp.reset", disturbed(NetFaultKind::kReset));
    AddPaths("another port of the host answers", "tcp.wrong_port", [](DoctorBed& bed, Path path) {
      bed.Serve(path);
      bed.options.other_ports = {bed.worker_port()};
      bed.Address(bed.ClosedPort());
    });
    Add("closed without a word", "tcp.closed", [](DoctorBed& bed) {
      bed.Say({.banner = "", .answer = [](std::string_view) { return ""; }});
    });
    Add("closed without a word, TLS", "tcp.closed", [](DoctorBed& bed) {
      bed.Say({.banner = "", .answer = [](std::string_view) { return ""; }});
      bed.Set("TEMPORAL_TLS", "true");
    });
    Add("no such name", "dns.no_such_name",
        [](DoctorBed& bed) { bed.Set("TEMPORAL_ADDRESS", "no-such-host.invalid:7233"); });
    AddPaths("black hole", "tcp.peer_silent", disturbed(NetFaultKind::kBlackhole), true);
    for (DoctorCase& one : cases_) {
      if (one.name.starts_with("black hole") && !one.name.ends_with("plaintext"))
        one.expected = "tls.handshake_silent";
    }
    Add(
        "packets are dropped", "tcp.silent",
        [](DoctorBed& bed) {
          bed.Serve(Path::kPlain);
          bed.Disturb({.id = "fault", .kind = NetFaultKind::kNeverAccept, .backlog_full = true});
        },
        true);
    Add(
        "packets are dropped, another port answers", "tcp.wrong_port",
        [](DoctorBed& bed) {
          bed.Serve(Path::kPlain);
          bed.options.other_ports = {bed.worker_port()};
          bed.Disturb({.id = "fault", .kind = NetFaultKind::kNeverAccept, .backlog_full = true});
        },
        true);
    Add(
        "nobody accepts", "tcp.peer_silent",
        [](DoctorBed& bed) {
          bed.Serve(Path::kPlain);
          bed.Disturb({.id = "fault", .kind = NetFaultKind::kNeverAccept});
        },
        true);
  }

  void Mode(TlsFault mode, const std::string& by_address, const std::string& by_name,
            bool identity = false, bool silent = false) {
    const std::string name(wire::TlsModes()[static_cast<std::size_t>(mode)].name);
    for (const bool named : {false, true}) {
      Add(
          fmt::format("TLS {}, by {}", name, named ? "name" : "address"),
          named ? by_name : by_address,
          [mode, named, identity](DoctorBed& bed) { bed.ServeMode(mode, named, identity); },
          silent);
    }
  }

  void Tls() {
    using enum TlsFault;
    const auto both = [this](TlsFault mode, const std::string& cause, bool identity = false,
                             bool silent = false) { Mode(mode, cause, cause, identity, silent); };
    both(kWrongCa, "tls.unknown_issuer");
    both(kExpired, "tls.certificate_expired");
    both(kNotYetValid, "tls.certificate_not_yet_valid");
    // Its certificate has no addresses at all.
    Mode(kWrongName, "tls.address_not_in_certificate", "tls.wrong_name");
    Add("TLS certificate for another address", "tls.wrong_name", [](DoctorBed& bed) {
      fakes::FakeServerOptions server;
      server.tls = wire::TlsServerOptions{};
      wire::CertificateAuthority authority = *Certificates().authority;
      server.tls->identity = authority.Issue(
          {.common_name = "elsewhere", .dns_names = {"localhost"}, .ips = {"10.0.0.1"}});
      bed.Serve(Path::kTls, std::move(server));
    });
    Mode(kIpWithoutSan, "tls.address_not_in_certificate", "healthy");
    both(kSelfSigned, "tls.self_signed");
    both(kWeakKey, "tls.weak_certificate");
    both(kKeyMismatch, "tls.server_key_mismatch");
    both(kChainIncomplete, "tls.unknown_issuer");
    both(kRootRotated, "tls.unknown_issuer");
    both(kLeafRotated, "healthy");
    both(kOldVersion, "tls.old_version");
    both(kTls12Only, "healthy");
    both(kNoAlpn, "tls.no_alpn");
    both(kAlpnHttp1, "tls.alpn_http1");
    both(kClientCertMissing, "tls.client_certificate_missing");
    both(kClientCertForeign, "tls.client_certificate_untrusted", true);
    both(kClientCertExpired, "tls.client_certificate_expired", true);
    both(kClientCertNoUsage, "tls.client_certificate_unsuitable", true);
    Mode(kSniWrongDefault, "tls.address_not_in_certificate", "healthy");
    Mode(kSniRefused, "tls.address_not_in_certificate", "tls.unrecognized_name");
    both(kPlaintext, "tls.tls_to_plaintext");
    both(kHandshakeHangs, "tls.handshake_silent", false, true);
    for (const auto& [mode, cause, identity] :
         {std::tuple{kClientCertMissing, "tls.client_certificate_missing", false},
          {kClientCertForeign, "tls.client_certificate_untrusted", true},
          {kClientCertExpired, "tls.client_certificate_expired", true}}) {
      Add(fmt::format("TLS 1.2, {}", cause), cause,
          [mode = mode, identity = identity](DoctorBed& bed) {
            bed.ServeMode(mode, false, identity, true);
          });
    }
    for (const Path path : {Path::kTls, Path::kMtls, Path::kIngress}) {
      Add(fmt::format("plaintext to {}", PathName(path)), "tls.plaintext_to_tls",
          [path](DoctorBed& bed) {
            bed.Serve(path);
            bed.sources.environment = {{"TEMPORAL_ADDRESS", bed.Get("TEMPORAL_ADDRESS")}};
          });
    }
    Add("TLS-inspecting proxy", "tls.intercepted", [](DoctorBed& bed) {
      Rng rng(7);
      auto inspector = wire::CertificateAuthority::Create(
          {.common_name = "Zscaler Intermediate Root CA"}, RealClock().WallNow(), rng);
      fakes::FakeServerOptions server;
      server.tls = wire::TlsServerOptions{};
      server.tls->identity = inspector.Issue(
          {.common_name = "localhost", .dns_names = {"localhost"}, .ips = {"127.0.0.1"}});
      bed.Serve(Path::kTls, std::move(server));
    });
  }

  void Stranger(const std::string& name, const std::string& expected,
                const Speaker::Script& script) {
    Add(name, expected, [script](DoctorBed& bed) { bed.Say(script); });
    Add(name + ", TLS", expected, [script](DoctorBed& bed) {
      bed.Say(script);
      bed.Set("TEMPORAL_TLS", "true");
    });
  }

  void Strangers() {
    const auto says = [](std::string text) {
      return [text = std::move(text)](std::string_view) { return text; };
    };
    Stranger("SSH", "http.other_protocol",
             {.banner = "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", .answer = says("")});
    Stranger("Redis", "http.other_protocol",
             {.banner = "", .answer = says("-ERR unknown command 'PRI'\r\n")});
    Stranger("SMTP", "http.other_protocol",
             {.banner = "220 mail.example.com ESMTP Postfix\r\n",
              .answer = says("502 5.5.2 Error: command not recognized\r\n")});
    Stranger(
        "HTTP/1.1 server", "http.http1",
        {.banner = "",
         .answer = says(
             "HTTP/1.1 400 Bad Request\r\nServer: nginx\r\nContent-Type: text/html\r\nConnection: "
             "close\r\n\r\n<html><head><title>400 Bad Request</title></head></html>")});
    Stranger("web interface", "http.web_ui",
             {.banner = "", .answer = [](std::string_view bytes) {
                return bytes.starts_with("GET ")
                           ? "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: "
                             "close\r\n\r\n<!doctype "
                             "html><html><head><title>Temporal</title></head></html>"
                           : "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: "
                             "close\r\n\r\n400 Bad Request";
              }});
    Add("load balancer without a server", "http.bad_gateway", [says](DoctorBed& bed) {
      bed.Say({.banner = "",
               .answer = says("HTTP/1.1 502 Bad Gateway\r\nServer: awselb/2.0\r\nContent-Type: "
                              "text/html\r\nConnection: close\r\n\r\n<html><head><title>502 Bad "
                              "Gateway</title></head></html>")});
    });
    Add("nginx: plain HTTP to its TLS port", "tls.plaintext_to_tls", [says](DoctorBed& bed) {
      bed.Say({.banner = "",
               .answer = says("HTTP/1.1 400 Bad Request\r\nServer: nginx\r\nConnection: "
                              "close\r\n\r\n<html><center>The plain HTTP request was sent to HTTPS "
                              "port</center></html>")});
    });
  }

  void Ingresses() {
    const auto with = [this](const std::string& name, const std::string& expected,
                             const std::function<void(fakes::IngressOptions&)>& change,
                             bool silent = false) {
      Add(
          "ingress: " + name, expected,
          [change](DoctorBed& bed) {
            fakes::IngressOptions options;
            options.tls.identity = Certificates().server;
            change(options);
            bed.Serve(Path::kIngress, {}, true, std::move(options));
          },
          silent);
    };
    with("HTTP/1.1 only", "tls.alpn_http1",
         [](fakes::IngressOptions& o) { o.transport = fakes::IngressTransport::kHttp1; });
    with("HTTP/1.1 behind h2", "http.http1",
         [](fakes::IngressOptions& o) { o.transport = fakes::IngressTransport::kHttp1BehindH2; });
    with(
        "internal only", "tls.handshake_silent",
        [](fakes::IngressOptions& o) { o.reach = fakes::IngressReach::kSilent; }, true);
    with("does not know the name", "tls.unrecognized_name", [](fakes::IngressOptions& o) {
      o.tls.by_sni = {{"other.example", Certificates().server}};
      o.tls.refuse_unknown_sni = true;
    });
    with("wrong certificate", "tls.wrong_name",
         [](fakes::IngressOptions& o) { o.tls.identity = Certificates().wrong_name; });
    for (const auto answer : {fakes::PlaintextAnswer::kNothing, fakes::PlaintextAnswer::kAlert}) {
      Add(fmt::format("ingress: plaintext, told {}",
                      answer == fakes::PlaintextAnswer::kNothing ? "nothing" : "an alert"),
          "tls.plaintext_to_tls", [answer](DoctorBed& bed) {
            fakes::IngressOptions options;
            options.tls.identity = Certificates().server;
            options.plaintext_answer = answer;
            bed.Serve(Path::kIngress, {}, true, std::move(options));
            bed.sources.environment = {{"TEMPORAL_ADDRESS", bed.Get("TEMPORAL_ADDRESS")}};
          });
    }
    Add("ingress: its server is gone", "http.broken", [](DoctorBed& bed) {
      bed.Serve(Path::kIngress);
      SQUALL_CHECK(bed.fake().Suspend().ok(), "suspended");
    });
  }
};

}  // namespace

std::vector<DoctorCase> TargetCases() { return TargetCaseList().Make(); }

std::vector<DoctorCase> RealCases(const RealServer& real) {
  // By what their names begin with: those that need nothing of the fake's.
  constexpr std::string_view kPlayable[] = {"healthy",
                                            "nobody polls",
                                            "somebody polls another spelling",
                                            "only activities are polled for",
                                            "refused",
                                            "accepted and reset",
                                            "another port of the host",
                                            "black hole",
                                            "packets are dropped",
                                            "plaintext to",
                                            "HTTP proxy leads",
                                            "HTTP proxy wants",
                                            "HTTP proxy takes",
                                            "namespace missing behind",
                                            "namespace in the state",
                                            "namespace renamed by",
                                            "go: ",
                                            "grpc-js: ",
                                            "workflow type that",
                                            "activity type that",
                                            "types that the worker has",
                                            "a type that nobody",
                                            "search attribute is ",
                                            "pollers of "};
  std::vector<DoctorCase> cases = {
      {"namespace missing", "namespace.missing",
       [](DoctorBed& bed) {
         bed.Serve(Path::kPlain);
         bed.Set("TEMPORAL_NAMESPACE", "nope-" + bed.Unique("x"));
       }},
      {"namespace written wrong", "namespace.missing",
       [](DoctorBed& bed) {
         bed.Serve(Path::kPlain);
         bed.Set("TEMPORAL_NAMESPACE", "defualt");
       }},
      {"TLS to plaintext", "tls.tls_to_plaintext",
       [](DoctorBed& bed) {
         bed.Serve(Path::kPlain);
         bed.Set("TEMPORAL_TLS", "true");
       }},
      {"the web interface's port", "http.web_ui",
       [port = real.web_port](DoctorBed& bed) {
         bed.Serve(Path::kPlain);
         bed.Address(port);
       }},
      {"the web interface's port, TLS", "http.web_ui",
       [port = real.web_port](DoctorBed& bed) {
         bed.Serve(Path::kPlain);
         bed.Address(port);
         bed.Set("TEMPORAL_TLS", "true");
       }},
  };
  for (auto list : {TargetCases(), WayCases()}) {
    for (DoctorCase& one : list) {
      if (std::ranges::any_of(
              kPlayable, [&one](std::string_view begin) { return one.name.starts_with(begin); }))
        cases.push_back(std::move(one));
    }
  }
  for (DoctorCase& one : cases) {
    one.name = "dev server: " + one.name;
    one.prepare = [real, prepare = std::move(one.prepare)](DoctorBed& bed) {
      bed.UseReal(real);
      prepare(bed);
    };
  }
  return cases;
}

}  // namespace squall::doctor
