#include <nlohmann/json.hpp>

#include "base/wire/grpc.h"
#include "tests/integration/doctor/cases.h"

namespace squall::doctor {
namespace {

// Shaped like one, worth nothing.
std::string Token(std::int64_t expires) {
  const auto part = [](const nlohmann::json& json) { return wire::Base64Encode(json.dump()); };
  return part({{"alg", "ES256"}}) + "." + part({{"exp", expires}}) + ".c2lnbmF0dXJl";
}

// Settings of a worker of Temporal Cloud, right in everything; the name does not exist.
void Cloud(DoctorBed& bed) {
  bed.Set("TEMPORAL_ADDRESS", "eu-central-1.aws.api.temporal.io:7233");
  bed.Set("TEMPORAL_NAMESPACE", "orders.a1b2c");
  bed.Set("TEMPORAL_API_KEY", Token(4'000'000'000));
  bed.options.stage = Stage::kConfig;
}
// The same with a client certificate.
void CloudMtls(DoctorBed& bed) {
  Cloud(bed);
  bed.Unset("TEMPORAL_API_KEY");
  bed.Set("TEMPORAL_ADDRESS", "orders.a1b2c.tmprl.cloud:7233");
  bed.ShowIdentity(Certificates().client);
}

}  // namespace

std::vector<DoctorCase> SettingsCases() {
  std::vector<DoctorCase> cases;
  const auto add = [&cases](std::string name, std::string expected,
                            std::function<void(DoctorBed&)> change, bool mtls = false) {
    cases.push_back({"settings: " + std::move(name), std::move(expected),
                     [change = std::move(change), mtls](DoctorBed& bed) {
                       mtls ? CloudMtls(bed) : Cloud(bed);
                       change(bed);
                     }});
  };
  const auto set = [](std::string name, std::string value) {
    return [name = std::move(name), value = std::move(value)](DoctorBed& bed) {
      bed.Set(name, value);
    };
  };
  add("all right, API key", "healthy", [](DoctorBed&) {});
  add(
      "all right, client certificate", "healthy", [](DoctorBed&) {}, true);
  add("required address missing", "settings.required_missing", [](DoctorBed& bed) {
    bed.Unset("TEMPORAL_ADDRESS");
    bed.options.required = {Setting::kAddress};
  });
  add("required API key missing", "settings.required_missing", [](DoctorBed& bed) {
    bed.Unset("TEMPORAL_API_KEY");
    bed.options.required = {Setting::kApiKey};
  });
  add("required API key empty", "settings.required_missing", [](DoctorBed& bed) {
    bed.Set("TEMPORAL_API_KEY", "");
    bed.options.required = {Setting::kApiKey};
  });
  add("TEMPORAL_ADRESS", "settings.near_miss_name", [](DoctorBed& bed) {
    bed.Set("TEMPORAL_ADRESS", bed.Get("TEMPORAL_ADDRESS"));
    bed.Unset("TEMPORAL_ADDRESS");
  });
  add("TEMPORAL_APIKEY", "settings.near_miss_name", [](DoctorBed& bed) {
    bed.Set("TEMPORAL_APIKEY", bed.Get("TEMPORAL_API_KEY"));
    bed.Unset("TEMPORAL_API_KEY");
  });
  add("TEMPORAL_NAMESAPCE", "settings.near_miss_name", [](DoctorBed& bed) {
    bed.Set("TEMPORAL_NAMESAPCE", bed.Get("TEMPORAL_NAMESPACE"));
    bed.Unset("TEMPORAL_NAMESPACE");
  });
  add("no such configuration file", "settings.config_file",
      set("TEMPORAL_CONFIG_FILE", "/nowhere/temporal.toml"));
  add("configuration file is no TOML", "settings.config_file", [](DoctorBed& bed) {
    bed.Set("TEMPORAL_CONFIG_FILE", "temporal.toml");
    bed.sources.read_file = [](const std::string&) -> StatusOr<std::string> {
      return std::string("[profile.default\naddress = 1");
    };
  });
  add("a line of .env that is none", "settings.config_file", [](DoctorBed& bed) {
    bed.sources.env_files = {{".env", "TEMPORAL_TASK_QUEUE=orders\nTEMPORAL_NAMESPACE orders\n"}};
  });
  add("no such profile", "settings.profile_missing", [](DoctorBed& bed) {
    bed.Set("TEMPORAL_CONFIG_FILE", "temporal.toml");
    bed.Set("TEMPORAL_PROFILE", "prdo");
    bed.sources.read_file = [](const std::string&) -> StatusOr<std::string> {
      return std::string("[profile.prod]\naddress = \"x:1\"\n");
    };
  });
  add("${} not expanded", "settings.placeholder", set("TEMPORAL_API_KEY", "${TEMPORAL_API_KEY}"));
  add("placeholder of a template", "settings.placeholder",
      set("TEMPORAL_NAMESPACE", "<your namespace>"));
  add("quotes in the address", "settings.whitespace_or_quotes",
      set("TEMPORAL_ADDRESS", "\"eu-central-1.aws.api.temporal.io:7233\""));
  add("line break after the key", "settings.whitespace_or_quotes",
      [](DoctorBed& bed) { bed.Set("TEMPORAL_API_KEY", bed.Get("TEMPORAL_API_KEY") + "\n"); });
  add("blank before the namespace", "settings.whitespace_or_quotes",
      set("TEMPORAL_NAMESPACE", " orders.a1b2c"));
  add("https://", "settings.scheme_in_address",
      set("TEMPORAL_ADDRESS", "https://eu-central-1.aws.api.temporal.io:7233"));
  add("grpc://", "settings.scheme_in_address", set("TEMPORAL_ADDRESS", "grpc://temporal:7233"));
  add("no port", "settings.address_form",
      set("TEMPORAL_ADDRESS", "eu-central-1.aws.api.temporal.io"));
  add("port above 65535", "settings.address_form", set("TEMPORAL_ADDRESS", "temporal:72330"));
  add("path behind the address", "settings.address_form",
      set("TEMPORAL_ADDRESS", "temporal:7233/"));
  add("Cloud without TLS", "settings.cloud_without_tls", set("TEMPORAL_TLS", "false"), false);
  cases.back().prepare = [](DoctorBed& bed) {
    Cloud(bed);
    bed.Unset("TEMPORAL_API_KEY");
    bed.Set("TEMPORAL_TLS", "false");
  };
  add("Cloud without credentials", "settings.cloud_without_credentials", [](DoctorBed& bed) {
    bed.Unset("TEMPORAL_API_KEY");
    bed.Set("TEMPORAL_TLS", "true");
  });
  add("client certificate to a regional address", "settings.cloud_endpoint",
      set("TEMPORAL_ADDRESS", "us-east-1.aws.api.temporal.io:7233"), true);
  add("namespace without account", "settings.namespace_form", set("TEMPORAL_NAMESPACE", "orders"));
  add("slash in the namespace", "settings.namespace_form",
      set("TEMPORAL_NAMESPACE", "orders/a1b2c"));
  add("API key without TLS", "settings.api_key_without_tls", [](DoctorBed& bed) {
    bed.Set("TEMPORAL_ADDRESS", "temporal.example.com:7233");
    bed.Set("TEMPORAL_TLS", "false");
  });
  add("certificate in the API key", "settings.pem_in_api_key",
      set("TEMPORAL_API_KEY", Certificates().client.certificate_chain_pem));
  add("private key in the API key", "settings.pem_in_api_key",
      set("TEMPORAL_API_KEY", Certificates().client.private_key_pem));
  add("Bearer before the key", "settings.api_key_form",
      [](DoctorBed& bed) { bed.Set("TEMPORAL_API_KEY", "Bearer " + bed.Get("TEMPORAL_API_KEY")); });
  add("path as the key", "settings.api_key_form",
      set("TEMPORAL_API_KEY", "/run/secrets/temporal_api_key"));
  add("expired key", "settings.api_key_expired", set("TEMPORAL_API_KEY", Token(1'700'000'000)));
  add(
      "certificate without key", "settings.certificate_without_key",
      [](DoctorBed& bed) { bed.Unset("TEMPORAL_TLS_CLIENT_KEY_DATA"); }, true);
  add(
      "key without certificate", "settings.key_without_certificate",
      [](DoctorBed& bed) { bed.Unset("TEMPORAL_TLS_CLIENT_CERT_DATA"); }, true);
  add(
      "certificate file is not there", "settings.file_unreadable",
      [](DoctorBed& bed) {
        bed.Unset("TEMPORAL_TLS_CLIENT_CERT_DATA");
        bed.Set("TEMPORAL_TLS_CLIENT_CERT_PATH", "/etc/temporal/tls.crt");
      },
      true);
  add(
      "key file is not there, by an alias", "settings.file_unreadable",
      [](DoctorBed& bed) {
        bed.Unset("TEMPORAL_TLS_CLIENT_KEY_DATA");
        bed.Set("TEMPORAL_TLS_KEY", "/etc/temporal/tls.key");
      },
      true);
  add(
      "PEM without line breaks", "settings.pem_unreadable",
      [](DoctorBed& bed) {
        std::string pem = bed.Get("TEMPORAL_TLS_CLIENT_CERT_DATA");
        std::erase(pem, '\n');
        bed.Set("TEMPORAL_TLS_CLIENT_CERT_DATA", pem);
      },
      true);
  add(
      "PEM cut short", "settings.pem_unreadable",
      [](DoctorBed& bed) {
        const std::string pem = bed.Get("TEMPORAL_TLS_CLIENT_KEY_DATA");
        bed.Set("TEMPORAL_TLS_CLIENT_KEY_DATA", pem.substr(0, pem.size() / 2));
      },
      true);
  add("encrypted key", "settings.pem_unreadable",
      set("TEMPORAL_TLS_CLIENT_KEY_DATA",
          "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n"),
      true);
  add("no PEM in the certificate", "settings.pem_unreadable",
      set("TEMPORAL_TLS_CLIENT_CERT_DATA", "bm8gcGVt"), true);
  add(
      "certificate and key exchanged", "settings.key_in_certificate",
      [](DoctorBed& bed) {
        const std::string certificate = bed.Get("TEMPORAL_TLS_CLIENT_CERT_DATA");
        bed.Set("TEMPORAL_TLS_CLIENT_CERT_DATA", bed.Get("TEMPORAL_TLS_CLIENT_KEY_DATA"));
        bed.Set("TEMPORAL_TLS_CLIENT_KEY_DATA", certificate);
      },
      true);
  add(
      "certificate twice", "settings.certificate_in_key",
      [](DoctorBed& bed) {
        bed.Set("TEMPORAL_TLS_CLIENT_KEY_DATA", bed.Get("TEMPORAL_TLS_CLIENT_CERT_DATA"));
      },
      true);
  add(
      "key of another certificate", "settings.key_pair_mismatch",
      [](DoctorBed& bed) {
        bed.Set("TEMPORAL_TLS_CLIENT_KEY_DATA", Certificates().server.private_key_pem);
      },
      true);
  add(
      "client certificate expired", "settings.client_certificate_expired",
      [](DoctorBed& bed) { bed.ShowIdentity(Certificates().expired); }, true);
  add(
      "client certificate of tomorrow", "settings.client_certificate_not_yet_valid",
      [](DoctorBed& bed) { bed.ShowIdentity(Certificates().not_yet); }, true);
  add("TLS off and certificates set", "settings.tls_contradiction", set("TEMPORAL_TLS", "false"),
      true);
  add("TLS neither true nor false", "settings.tls_contradiction", set("TEMPORAL_TLS", "maybe"),
      true);
  return cases;
}

}  // namespace squall::doctor
