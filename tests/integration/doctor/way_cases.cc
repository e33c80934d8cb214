// The way there through an HTTP proxy, and what the deployment counts on: types, search attributes,
// versions, what the SDK looks for in the server.

#include "tests/integration/doctor/case_list.h"

namespace squall::doctor {
namespace {

// As Python's SDK 1.35.0, TypeScript's 1.24.0 and Go's 1.50.0 say it.
std::string NotRegistered(std::string_view sdk, bool activity, const std::string& type) {
  if (sdk == "Go") {
    return activity
               ? fmt::format("unable to find activityType={}. Supported types: [Other]", type)
               : fmt::format("unable to find workflow type: {}. Supported types: [Other]", type);
  }
  if (sdk == "TypeScript" && !activity) {
    return fmt::format(
        "Failed to initialize workflow of type '{}': no such function is exported by the workflow "
        "bundle",
        type);
  }
  return fmt::format("{} {} is not registered on this worker, available {}: other",
                     activity ? "Activity function" : "Workflow class", type,
                     activity ? "activities" : "workflows");
}

class WayCaseList final : CaseList {
 public:
  std::vector<DoctorCase> Make() {
    Proxies();
    Types();
    Attributes();
    Versions();
    Capabilities();
    return std::move(cases_);
  }

 private:
  void Proxies() {
    const auto through = [this](const std::string& name, const std::string& expected,
                                const ConnectProxy::Script& script, bool silent = false) {
      AddPaths(
          "HTTP proxy " + name, expected,
          [script](DoctorBed& bed, Path path) {
            bed.Serve(path);
            bed.GoThrough(script);
          },
          silent);
    };
    through("leads on", "healthy", {});
    through("wants credentials", "proxy.credentials", {.credentials = "worker:right"});
    through("refuses", "proxy.refused", {.status = "403 Forbidden", .credentials = ""});
    through("does not reach the server", "proxy.no_upstream",
            {.status = "503 Service Unavailable", .credentials = ""});
    through("says nothing", "proxy.silent", {.status = "", .credentials = ""}, true);
    AddPaths("HTTP proxy takes the credentials", "healthy", [](DoctorBed& bed, Path path) {
      bed.Serve(path);
      bed.GoThrough({.credentials = "worker:right"});
      bed.sources.proxy_credentials = "worker:right";
    });
    AddPaths("HTTP proxy does not take these credentials", "proxy.credentials",
             [](DoctorBed& bed, Path path) {
               bed.Serve(path);
               bed.GoThrough({.credentials = "worker:right"});
               bed.sources.proxy_credentials = "worker:wrong";
             });
    AddPaths("HTTP proxy is not there", "proxy.unreachable", [](DoctorBed& bed, Path path) {
      bed.Serve(path);
      bed.sources.proxy = fmt::format("127.0.0.1:{}", bed.ClosedPort());
    });
    AddPaths("HTTP proxy has no such name", "proxy.unreachable", [](DoctorBed& bed, Path path) {
      bed.Serve(path);
      bed.sources.proxy = "proxy.invalid:3128";
    });
    // What stands behind the proxy is looked at through it.
    AddPaths("namespace missing behind an HTTP proxy", "namespace.missing",
             [](DoctorBed& bed, Path path) {
               bed.Serve(path);
               bed.Set("TEMPORAL_NAMESPACE", "nope");
               bed.GoThrough({});
             });
    Add("plaintext to TLS behind an HTTP proxy", "tls.plaintext_to_tls", [](DoctorBed& bed) {
      bed.Serve(Path::kTls);
      bed.GoThrough({});
      bed.sources.environment = {{"TEMPORAL_ADDRESS", bed.Get("TEMPORAL_ADDRESS")}};
    });
    Add("HTTP proxy with a certificate of its own", "tls.intercepted", [](DoctorBed& bed) {
      Rng rng(7);
      auto inspector = wire::CertificateAuthority::Create({.common_name = "Netskope CA"},
                                                          RealClock().WallNow(), rng);
      fakes::FakeServerOptions server;
      server.tls = wire::TlsServerOptions{};
      server.tls->identity = inspector.Issue(
          {.common_name = "localhost", .dns_names = {"localhost"}, .ips = {"127.0.0.1"}});
      bed.Serve(Path::kTls, std::move(server));
      bed.GoThrough({});
    });
    Add("HTTP proxy's port speaks SSH", "proxy.other_protocol", [](DoctorBed& bed) {
      bed.Say(
          {.banner = "SSH-2.0-OpenSSH_9.2p1\r\n", .answer = [](std::string_view) { return ""; }});
      bed.sources.proxy = bed.Get("TEMPORAL_ADDRESS");
    });
    Add("--proxy without a port", "settings.proxy_form", [](DoctorBed& bed) {
      bed.Set("TEMPORAL_ADDRESS", "temporal:7233");
      bed.sources.proxy = "proxy.example";
      bed.options.stage = Stage::kConfig;
    });
    Environments();
  }

  // The same variables, as each SDK reads them.
  void Environments() {
    struct Row {
      std::string_view sdk, variable, no_proxy, expected, address;
    };
    for (const auto& row : {
             Row{"grpc-js", "https_proxy", "", "proxy.credentials", ""},
             {"grpc-js", "grpc_proxy", "", "proxy.credentials", ""},
             {"grpc-js", "http_proxy", "example.com", "proxy.credentials", ""},
             {"grpc-js", "https_proxy", "127.0.0.0/8", "healthy", ""},
             {"grpc-js", "HTTPS_PROXY", "", "healthy", ""},
             {"go", "HTTPS_PROXY", "", "healthy", ""},  // loopback: directly
             {"go", "HTTPS_PROXY", "", "proxy.credentials", "temporal.invalid:7233"},
             {"go", "https_proxy", "other.invalid", "proxy.credentials", "temporal.invalid:7233"},
             {"go", "HTTPS_PROXY", ".invalid", "dns.no_such_name", "temporal.invalid:7233"},
             {"go", "grpc_proxy", "", "dns.no_such_name", "temporal.invalid:7233"},
             {"python", "HTTPS_PROXY", "", "healthy", ""},
             {"core", "HTTPS_PROXY", "", "dns.no_such_name", "temporal.invalid:7233"},
         }) {
      Add(fmt::format("{}: {} is set, {}{}", row.sdk, row.variable, row.expected,
                      row.no_proxy.empty() ? "" : fmt::format(", no_proxy {}", row.no_proxy)),
          std::string(row.expected), [row](DoctorBed& bed) {
            bed.Serve(Path::kPlain);
            bed.GoThrough({.credentials = "worker:right"});
            bed.Set(row.variable, "http://" + std::exchange(bed.sources.proxy, ""));
            if (!row.no_proxy.empty())
              bed.Set(row.sdk == "go" ? "NO_PROXY" : "no_proxy", std::string(row.no_proxy));
            if (!row.address.empty()) bed.Set("TEMPORAL_ADDRESS", std::string(row.address));
            bed.options.sdk = *ParseSdk(row.sdk);
          });
    }
    Add("go: credentials in the proxy's URL", "healthy", [](DoctorBed& bed) {
      bed.Serve(Path::kPlain);
      bed.GoThrough({.credentials = "worker:right"});
      bed.Set("HTTPS_PROXY", "http://worker:right@" + std::exchange(bed.sources.proxy, ""));
      bed.Set("TEMPORAL_ADDRESS", "temporal.invalid:7233");
      bed.options.sdk = *ParseSdk("go/1.50.0");
    });
    Add("go: HTTPS_PROXY is no URL", "settings.proxy_form", [](DoctorBed& bed) {
      bed.Set("TEMPORAL_ADDRESS", "temporal.example.com:7233");
      bed.Set("HTTPS_PROXY", "http://proxy corp:x");
      bed.options.sdk = *ParseSdk("go");
      bed.options.stage = Stage::kConfig;
    });
  }

  // A queue whose worker fails or does the task of a type.
  void Types() {
    for (const std::string_view sdk : {"Python", "TypeScript", "Go"}) {
      Add(fmt::format("workflow type that {}'s worker does not have", sdk),
          "worker.type_not_registered", [sdk](DoctorBed& bed) {
            bed.Serve(Path::kPlain);
            const std::string queue = Queue(bed);
            bed.StartWorkflow(queue, "OrderFood");
            bed.DoWorkflowTask(queue, "", NotRegistered(sdk, false, "OrderFood"));
            bed.AwaitListed(queue);
            bed.options.expectations.workflow_types = {"OrderFood"};
          });
      Add(fmt::format("activity type that {}'s worker does not have", sdk),
          "worker.type_not_registered", [sdk](DoctorBed& bed) {
            bed.Serve(Path::kPlain);
            const std::string queue = Queue(bed);
            bed.StartWorkflow(queue, "OrderFood");
            bed.DoWorkflowTask(queue, "charge_card");
            bed.DoActivityTask(queue, NotRegistered(sdk, true, "charge_card"));
            bed.AwaitListed(queue);
            bed.options.expectations.activity_types = {"charge_card"};
          });
    }
    AddPaths("types that the worker has", "healthy", [](DoctorBed& bed, Path path) {
      bed.Serve(path);
      const std::string queue = Queue(bed);
      bed.StartWorkflow(queue, "OrderFood");
      bed.DoWorkflowTask(queue, "charge_card");
      bed.DoActivityTask(queue);
      bed.AwaitListed(queue);
      bed.options.expectations.workflow_types = {"OrderFood"};
      bed.options.expectations.activity_types = {"charge_card"};
    });
    // An activity that fails by itself says nothing against its type: nor for it.
    Add("an activity that failed otherwise", "could not tell: worker.type_not_registered",
        [](DoctorBed& bed) {
          bed.Serve(Path::kPlain);
          const std::string queue = Queue(bed);
          bed.StartWorkflow(queue, "OrderFood");
          bed.DoWorkflowTask(queue, "charge_card");
          bed.DoActivityTask(queue, "the card is not good");
          bed.AwaitListed(queue);
          bed.options.expectations.activity_types = {"charge_card"};
        });
    AddPaths("a type that nobody was given", "could not tell: worker.type_not_registered",
             [](DoctorBed& bed, Path path) {
               bed.Serve(path);
               Queue(bed);
               bed.options.expectations.workflow_types = {"OrderFood"};
             });
  }

  static std::string Queue(DoctorBed& bed) {
    const std::string queue = bed.Unique("food-truck");
    bed.Set("TEMPORAL_TASK_QUEUE", queue);
    return queue;
  }

  void Attributes() {
    const auto expecting = [this](const std::string& name, const std::string& expected,
                                  const std::map<std::string, std::string>& attributes) {
      AddPaths("search attribute " + name, expected, [attributes](DoctorBed& bed, Path path) {
        fakes::FakeServerOptions server;
        server.engine.search_attributes = {{"CustomerId", "Keyword"}, {"Amount", "Double"}};
        bed.Serve(path, std::move(server));
        bed.options.expectations.search_attributes = attributes;
      });
    };
    expecting("is there", "healthy", {{"CustomerId", "Keyword"}, {"WorkflowType", "Keyword"}});
    expecting("is missing", "types.search_attribute_missing", {{"OrderState", "Keyword"}});
    expecting("is written wrong", "types.search_attribute_missing", {{"customerId", "Keyword"}});
    expecting("is of another type", "types.search_attribute_type", {{"Amount", "Int"}});
    Add("search attributes may not be asked for", "could not tell: types.search_attribute_missing",
        [](DoctorBed& bed) {
          fakes::FakeServerOptions server;
          server.rules = Rules(
              R"({"match": {"method": "*SearchAttributes"}, "do": {"status": {"code": "PERMISSION_DENIED", "message": "no"}}})");
          bed.Serve(Path::kPlain, std::move(server));
          bed.options.expectations.search_attributes = {{"CustomerId", "Keyword"}};
        });
  }

  void Versions() {
    const auto versioned = [](DoctorBed& bed, Path path) {
      bed.Serve(path);
      bed.options.stage = Stage::kIntegration;
      return Queue(bed);
    };
    AddPaths("pollers of the current version", "healthy", [versioned](DoctorBed& bed, Path path) {
      const std::string queue = versioned(bed, path), shop = bed.Unique("shop");
      for (const bool activities : {false, true}) bed.PollAs(queue, activities, shop, "b1");
      bed.MakeCurrent(queue, shop, "b1");
    });
    AddPaths("pollers of a version that is not current", "queue.version_not_current",
             [versioned](DoctorBed& bed, Path path) {
               const std::string queue = versioned(bed, path), shop = bed.Unique("shop");
               for (const bool activities : {false, true})
                 bed.PollAs(queue, activities, shop, "b1");
             });
    AddPaths("the current version has no pollers", "queue.version_unpolled",
             [](DoctorBed& bed, Path path) {
               fakes::FakeServerOptions server;
               server.clock = bed.ServerClock(std::chrono::minutes(-2));
               bed.Serve(path, std::move(server));
               bed.options.stage = Stage::kIntegration;
               const std::string queue = Queue(bed);
               for (const bool activities : {false, true})
                 bed.PollAs(queue, activities, "shop", "b1");
               bed.MakeCurrent(queue, "shop", "b1");
               // The workers of that version are not heard of for two minutes, and others come.
               bed.ServerClock(Duration::zero());
               for (const bool activities : {false, true})
                 bed.PollAs(queue, activities, "shop", "b2");
             });
    // They would be healthy for polls of the same age.
    AddPaths("pollers that have gone", "queue.stale_pollers", [](DoctorBed& bed, Path path) {
      fakes::FakeServerOptions server;
      server.clock = bed.ServerClock(std::chrono::minutes(-2));
      bed.Serve(path, std::move(server));
      bed.options.stage = Stage::kIntegration;
      const std::string queue = Queue(bed);
      for (const bool activities : {false, true}) bed.Poll(queue, activities);
      bed.ServerClock(Duration::zero());
    });
  }

  void Capabilities() {
    const auto with = [this](std::string_view version, std::string_view sdk,
                             const std::string& expected) {
      AddPaths(fmt::format("server {} for {}", version, sdk), expected,
               [version, sdk](DoctorBed& bed, Path path) {
                 fakes::FakeServerOptions server;
                 server.engine.server_version = version;
                 bed.Serve(path, std::move(server));
                 if (!sdk.empty()) bed.options.sdk = *ParseSdk(sdk);
               });
      for (auto one = cases_.end() - 4; one != cases_.end(); ++one)
        one->notice = expected != "healthy";
    };
    with("1.32.0", "python/1.35.0", "healthy");
    with("1.32.0", "go/1.50.0", "healthy");
    with("1.29.1", "", "grpc.server_old");
    with("1.29.1", "python/1.35.0", "grpc.capability_missing");
    with("1.29.1", "go/1.x", "grpc.capability_missing");
    with("1.29.1", "go/1.20.0", "grpc.server_old");
  }
};

}  // namespace

std::vector<DoctorCase> WayCases() { return WayCaseList().Make(); }

}  // namespace squall::doctor
