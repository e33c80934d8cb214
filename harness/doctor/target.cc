#include "harness/doctor/target.h"

#include <algorithm>
#include <utility>

#include "base/util/text.h"
#include "base/wire/certificates.h"
#include "harness/doctor/values.h"

namespace squall::doctor {
namespace {

constexpr int kDefaultPort = 7233;
constexpr int kWebPort = 8233;
// A certificate or key that ends within this is told.
constexpr auto kSoon = std::chrono::hours(24 * 14);

class Resolver {
 public:
  Resolver(const Settings& settings, const TargetOptions& options,
           const std::function<StatusOr<std::string>(const std::string&)>& read_file,
           Diagnosis& diagnosis)
      : settings_(settings), options_(options), read_file_(read_file), diagnosis_(diagnosis) {}

  Target Resolve() {
    for (const Finding& finding : settings_.findings) diagnosis_.findings.push_back(finding);
    Required();
    Characters();
    Address();
    Namespace();
    ApiKey();
    Credentials();
    Tls();
    Cloud();
    Proxy();
    target_.metadata = settings_.metadata;
    target_.task_queue = settings_.Text(Setting::kTaskQueue);
    Rows();
    return std::move(target_);
  }

 private:
  void Broken(std::string cause, std::string evidence, std::string fix = {}) {
    diagnosis_.Add(std::move(cause), Weight::kBroken, std::move(evidence), std::move(fix));
  }
  void Notice(std::string cause, std::string evidence, std::string fix = {}) {
    diagnosis_.Add(std::move(cause), Weight::kNotice, std::move(evidence), std::move(fix));
  }
  // "TEMPORAL_ADDRESS in the environment", or the setting's name.
  std::string Where(Setting setting) const {
    const Value* value = settings_.Get(setting);
    return value != nullptr ? value->source : std::string(NameOf(setting).name);
  }

  void Required() {
    for (const Setting setting : options_.required) {
      const Value* value = settings_.Get(setting);
      if (value != nullptr && !value->text.empty()) continue;
      const SettingName& name = NameOf(setting);
      Broken(
          "settings.required_missing",
          fmt::format("{} is {}", name.variable,
                      value != nullptr ? fmt::format("empty ({})", value->source) : "set nowhere"),
          fmt::format("Set {} where the worker runs.", name.variable));
    }
  }

  void Characters() {
    for (const auto& [setting, value] : settings_.values) {
      if (PemKindOf(value.text) != PemKind::kNone) continue;
      if (IsPlaceholder(value.text)) {
        Broken("settings.placeholder",
               NameOf(setting).secret
                   ? fmt::format("{} holds a placeholder", value.source)
                   : fmt::format("{} is '{}'", value.source, EscapeControl(value.text)));
      } else if (const auto stray = StrayCharacters(value.text)) {
        Broken("settings.whitespace_or_quotes", fmt::format("{} {}", value.source, *stray));
      }
    }
  }

  void Address() {
    const std::string text = settings_.Text(Setting::kAddress, "localhost:7233");
    if (settings_.Get(Setting::kAddress) == nullptr || text.empty()) {
      target_.host = "localhost";
      target_.port = kDefaultPort;
      Notice("settings.required_missing", "no address is set anywhere: SDKs take localhost:7233",
             "Set TEMPORAL_ADDRESS where the worker runs.");
      return;
    }
    if (const auto scheme = text.find("://"); scheme != std::string::npos) {
      return Broken("settings.scheme_in_address",
                    fmt::format("{} begins with '{}'", Where(Setting::kAddress),
                                EscapeControl(text.substr(0, scheme + 3))),
                    fmt::format("Write '{}', and switch TLS on or off by itself.",
                                EscapeControl(text.substr(
                                    scheme + 3, text.find('/', scheme + 3) - scheme - 3))));
    }
    const auto parsed = ParseAddress(text);
    if (!parsed) {
      // Told already, where the reason is a stray character.
      if (!StrayCharacters(text) && !IsPlaceholder(text))
        Broken("settings.address_form",
               fmt::format("{} is '{}'", Where(Setting::kAddress), EscapeControl(text)));
      return;
    }
    target_.host = parsed->host;
    target_.port = parsed->port;
    if (target_.port == 0) {
      return Broken(
          "settings.address_form",
          fmt::format("{} is '{}', without a port", Where(Setting::kAddress), EscapeControl(text)),
          fmt::format("Write '{}:{}'.", EscapeControl(text), kDefaultPort));
    }
    if (target_.port == kWebPort)
      Notice("settings.web_ui_port",
             fmt::format("{} names port {}, where the dev server has its web interface",
                         Where(Setting::kAddress), kWebPort));
  }

  void Namespace() {
    target_.ns = settings_.Text(Setting::kNamespace, "default");
    if (target_.ns.empty()) target_.ns = "default";
    const auto bad = std::ranges::find_if(target_.ns, [](char c) {
      return std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '.' && c != '-' && c != '_';
    });
    if (bad != target_.ns.end() && !StrayCharacters(target_.ns) && !IsPlaceholder(target_.ns)) {
      Broken("settings.namespace_form",
             fmt::format("{} has the character '{}'", Where(Setting::kNamespace),
                         EscapeControl(std::string(1, *bad))));
    }
  }

  void ApiKey() {
    target_.api_key = settings_.Text(Setting::kApiKey);
    const std::string& key = target_.api_key;
    if (key.empty()) return;
    if (PemKindOf(key) != PemKind::kNone) {
      return Broken("settings.pem_in_api_key",
                    fmt::format("{} begins with a PEM header", Where(Setting::kApiKey)));
    }
    if (IsPlaceholder(key) || StrayCharacters(key)) return;  // told already
    std::string_view wrong;
    if (key.starts_with("Bearer ") || key.starts_with("bearer "))
      wrong = "begins with \"Bearer\", which SDKs put in front themselves";
    else if (key.starts_with('/') || key.starts_with("./") || key.starts_with("~/"))
      wrong = "looks like a file's path; SDKs take the key itself";
    else if (std::ranges::any_of(
                 key, [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; }))
      wrong = "has white space or a line break inside";
    else if (std::ranges::any_of(key, [](char c) {
               return static_cast<unsigned char>(c) >= 0x7f || static_cast<unsigned char>(c) < 0x20;
             }))
      wrong = "has a character that no header may have";
    if (!wrong.empty())
      return Broken("settings.api_key_form", fmt::format("{} {}", Where(Setting::kApiKey), wrong));
    const auto expiry = TokenExpiry(key);
    if (expiry && *expiry <= options_.now) {
      Broken("settings.api_key_expired",
             fmt::format("{} says that it expired at {}", Where(Setting::kApiKey),
                         FormatSecond(*expiry)));
    } else if (expiry && *expiry <= options_.now + kSoon) {
      Notice("settings.api_key_expired",
             fmt::format("{} expires at {}", Where(Setting::kApiKey), FormatSecond(*expiry)),
             "Plan its renewal.");
    }
  }

  // The text of a certificate or key that is given by path or in place; empty when neither is.
  std::string PemOf(Setting path, Setting data, PemKind wanted) {
    used_ = settings_.Get(data) != nullptr ? data : path;
    const Value* value = settings_.Get(used_);
    if (value == nullptr || value->text.empty()) return {};
    std::string text = value->text;
    // Applications read the same variable as a path or as the text itself.
    const bool in_place = PemKindOf(text) != PemKind::kNone;
    if (used_ == path && !in_place) {
      auto read = read_file_ ? read_file_(text) : absl::NotFoundError("no files are read");
      if (!read.ok()) {
        Broken("settings.file_unreadable",
               fmt::format("{} is '{}': {}", value->source, EscapeControl(text),
                           Message(read.status())));
        failed_ = true;
        return {};
      }
      text = *std::move(read);
    }
    const PemKind kind = PemKindOf(text);
    const bool key = kind == PemKind::kPrivateKey || kind == PemKind::kEncryptedKey;
    if (wanted == PemKind::kCertificate && key) {
      Broken("settings.key_in_certificate",
             fmt::format("{} holds a private key, not a certificate", value->source));
    } else if (wanted == PemKind::kPrivateKey && kind == PemKind::kCertificate) {
      Broken("settings.certificate_in_key",
             fmt::format("{} holds a certificate, not a private key", value->source));
    } else if (kind == PemKind::kEncryptedKey) {
      Broken("settings.pem_unreadable",
             fmt::format("{} holds a key that is encrypted with a passphrase", value->source));
    } else if (kind != wanted) {
      Broken("settings.pem_unreadable",
             fmt::format("{} holds no PEM {}", value->source,
                         wanted == PemKind::kCertificate ? "certificate" : "private key"));
    } else {
      return text;
    }
    failed_ = true;
    return {};
  }

  bool IsSet(Setting setting) const {
    const Value* value = settings_.Get(setting);
    return value != nullptr && !value->text.empty();
  }

  void Credentials() {
    Authorities();
    const bool certificate = IsSet(Setting::kCertPath) || IsSet(Setting::kCertData);
    const bool key = IsSet(Setting::kKeyPath) || IsSet(Setting::kKeyData);
    if (certificate != key) {
      const Setting given =
          certificate ? (IsSet(Setting::kCertPath) ? Setting::kCertPath : Setting::kCertData)
                      : (IsSet(Setting::kKeyPath) ? Setting::kKeyPath : Setting::kKeyData);
      // What is given may be wrong by itself, which comes first.
      PemOf(certificate ? Setting::kCertPath : Setting::kKeyPath,
            certificate ? Setting::kCertData : Setting::kKeyData,
            certificate ? PemKind::kCertificate : PemKind::kPrivateKey);
      return Broken(
          certificate ? "settings.certificate_without_key" : "settings.key_without_certificate",
          fmt::format("{} is set, and no {}", Where(given), certificate ? "key" : "certificate"));
    }
    if (!certificate) return;
    failed_ = false;
    wire::TlsIdentity identity;
    identity.certificate_chain_pem =
        PemOf(Setting::kCertPath, Setting::kCertData, PemKind::kCertificate);
    const Setting from = used_;
    identity.private_key_pem = PemOf(Setting::kKeyPath, Setting::kKeyData, PemKind::kPrivateKey);
    const Setting key_from = used_;
    if (failed_) return;
    const auto info = wire::DescribeCertificate(identity.certificate_chain_pem);
    if (!info.ok()) {
      return Broken("settings.pem_unreadable",
                    fmt::format("{}: {}", Where(from), Message(info.status())));
    }
    wire::TlsClientOptions trial;
    trial.identity = identity;
    if (const auto context = wire::TlsContext::Client(trial); !context.ok()) {
      const bool pair = Message(context.status()).find("does not belong") != std::string_view::npos;
      return Broken(pair ? "settings.key_pair_mismatch" : "settings.pem_unreadable",
                    pair ? fmt::format("the key of {} is not that of the certificate {} of {}",
                                       Where(key_from), info->subject, Where(from))
                         : fmt::format("{}: {}", Where(from), Message(context.status())));
    }
    if (info->not_after <= options_.now) {
      return Broken("settings.client_certificate_expired",
                    fmt::format("{} ({}) ended at {}", Where(from), info->subject,
                                FormatSecond(info->not_after)));
    }
    if (info->not_before > options_.now) {
      return Broken("settings.client_certificate_not_yet_valid",
                    fmt::format("{} ({}) begins at {}", Where(from), info->subject,
                                FormatSecond(info->not_before)));
    }
    if (info->not_after <= options_.now + kSoon) {
      Notice("settings.client_certificate_expired",
             fmt::format("{} ends at {}", Where(from), FormatSecond(info->not_after)),
             "Plan its renewal.");
    }
    if (!info->extended_key_usage.empty() &&
        std::ranges::find(info->extended_key_usage, "clientAuth") ==
            info->extended_key_usage.end()) {
      Notice("tls.client_certificate_unsuitable",
             fmt::format("{} ({}) is made for {} only", Where(from), info->subject,
                         info->extended_key_usage.front()));
    }
    target_.identity = std::move(identity);
  }

  void Authorities() {
    target_.ca_pem = options_.system_authorities_pem;
    target_.ca_source = "this machine's authorities";
    if (!IsSet(Setting::kCaPath) && !IsSet(Setting::kCaData)) return;
    const std::string pem = PemOf(Setting::kCaPath, Setting::kCaData, PemKind::kCertificate);
    if (pem.empty()) return;
    wire::TlsClientOptions trial;
    trial.ca_pem = pem;
    if (const auto context = wire::TlsContext::Client(trial); !context.ok()) {
      return Broken("settings.pem_unreadable",
                    fmt::format("{}: {}", Where(used_), Message(context.status())));
    }
    target_.ca_pem = pem;
    target_.ca_source = Where(used_);
  }

  void Tls() {
    target_.server_name = settings_.Text(Setting::kServerName, target_.host);
    if (const auto insecure = ParseSwitch(settings_.Text(Setting::kDisableHostVerification));
        insecure.value_or(false))
      target_.verify = false;
    const bool certificates = IsSet(Setting::kCertPath) || IsSet(Setting::kCertData) ||
                              IsSet(Setting::kCaPath) || IsSet(Setting::kCaData) ||
                              IsSet(Setting::kServerName);
    const std::string said = settings_.Text(Setting::kTls);
    const std::optional<bool> wanted = ParseSwitch(said);
    const bool on = wanted.value_or(false);
    if (!wanted.has_value() && !IsPlaceholder(said) && !StrayCharacters(said)) {
      Broken("settings.tls_contradiction",
             fmt::format("{} is '{}', neither true nor false", Where(Setting::kTls),
                         EscapeControl(said)),
             "Write true or false.");
    }
    if (wanted.has_value() && !said.empty()) {
      target_.tls = on;
      target_.tls_because = Where(Setting::kTls);
      if (!on && certificates) {
        Broken("settings.tls_contradiction",
               fmt::format("{} switches TLS off, and certificates or a server name are set",
                           Where(Setting::kTls)));
      }
    } else if (certificates) {
      target_.tls = true;
      target_.tls_because = "certificates or a server name are set";
    } else if (!target_.api_key.empty()) {
      target_.tls = true;
      target_.tls_because = "an API key is set";
    }
    if (!target_.api_key.empty() && !target_.tls) {
      // On the same machine nobody listens on the way, and test servers ask for no TLS.
      const std::string evidence = fmt::format("{} is set, and TLS is off ({})",
                                               Where(Setting::kApiKey), target_.tls_because);
      if (IsLoopback(target_.host))
        Notice("settings.api_key_without_tls", evidence);
      else
        Broken("settings.api_key_without_tls", evidence);
    }
  }

  void Cloud() {
    if (!IsCloud(target_.host)) return;
    if (!target_.tls) {
      return Broken("settings.cloud_without_tls",
                    fmt::format("{} is Temporal Cloud, and TLS is off", target_.host));
    }
    if (target_.api_key.empty() && !target_.identity) {
      return Broken(
          "settings.cloud_without_credentials",
          fmt::format("{} is Temporal Cloud; neither an API key nor a client certificate is set",
                      target_.host));
    }
    if (IsCloudRegion(target_.host) && target_.api_key.empty()) {
      return Broken(
          "settings.cloud_endpoint",
          fmt::format("{} takes API keys, and only a client certificate is set", target_.host));
    }
    if (target_.ns.find('.') == std::string::npos) {
      return Broken("settings.namespace_form",
                    fmt::format("the namespace is '{}', without the account's part",
                                EscapeControl(target_.ns)));
    }
    if (!IsCloudRegion(target_.host) && !target_.host.starts_with(target_.ns + ".")) {
      Notice("settings.namespace_form",
             fmt::format("{} is the address of another namespace than '{}'", target_.host,
                         EscapeControl(target_.ns)));
    }
  }

  void Proxy() {
    if (target_.host.empty()) return;
    ProxyChoice choice = ChooseProxy(settings_.proxy, options_.sdk, {target_.host, target_.port});
    if (!choice.problem.empty()) return Broken("settings.proxy_form", choice.problem);
    target_.proxy = std::move(choice.proxy);
    for (const std::string& note : choice.notes) Notice("settings.proxy_unused", note);
    if (!target_.proxy) target_.proxy_note = fmt::format("{}", fmt::join(choice.notes, "; "));
  }

  void Rows() {
    const bool failed = diagnosis_.broken();
    const auto notices = std::ranges::count(diagnosis_.findings, Weight::kNotice, &Finding::weight);
    std::string detail = fmt::format("{}, namespace {}",
                                     target_.host.empty() ? "no usable address" : target_.address(),
                                     EscapeControl(target_.ns));
    detail += target_.tls ? fmt::format(", TLS ({})", target_.tls_because) : ", plaintext";
    if (target_.identity) detail += ", client certificate";
    if (!target_.api_key.empty()) detail += ", API key";
    if (target_.proxy)
      detail += fmt::format(", through the proxy {} ({})",
                            EscapeControl(target_.proxy->where.ToString()), target_.proxy->source);
    diagnosis_.Row(Layer::kSettings, "",
                   failed        ? State::kFail
                   : notices > 0 ? State::kWarn
                                 : State::kOk,
                   detail);
    diagnosis_.target = target_.host.empty() ? "" : target_.address();
    diagnosis_.settings = settings_.Rows();
  }

  const Settings& settings_;
  const TargetOptions& options_;
  const std::function<StatusOr<std::string>(const std::string&)>& read_file_;
  Diagnosis& diagnosis_;
  Target target_;
  Setting used_ = Setting::kCertPath;  // where PemOf took its text from
  bool failed_ = false;
};

}  // namespace

std::string Target::address() const { return harness::HostPort{host, port}.ToString(); }

Target ResolveTarget(const Settings& settings, const TargetOptions& options,
                     const std::function<StatusOr<std::string>(const std::string&)>& read_file,
                     Diagnosis& diagnosis) {
  return Resolver(settings, options, read_file, diagnosis).Resolve();
}

}  // namespace squall::doctor
