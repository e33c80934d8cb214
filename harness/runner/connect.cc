#include "harness/runner/connect.h"

#include <fstream>
#include <sstream>

namespace squall::harness {
namespace {

StatusOr<std::string> ReadAll(const std::string& path) {
  if (path.empty()) return std::string();
  std::ifstream file(path, std::ios::binary);
  if (!file) return MakeStatus(StatusCode::kNotFound, "{}: cannot be opened", path);
  std::ostringstream text;
  text << file.rdbuf();
  return std::move(text).str();
}

}  // namespace

Status ApplyTls(const TlsPlan& plan, const CertificateFiles& files, WorkerOptions* options) {
  options->tls = plan.on;
  if (!plan.on) return absl::OkStatus();
  options->server_name = plan.server_name;
  if (!plan.ca.empty())
    options->ca_file = plan.ca == "wrong_ca" ? files.wrong_ca_pem : files.ca_pem;
  if (plan.identity.empty()) return absl::OkStatus();
  const auto certificate = files.certificate.find(plan.identity);
  const auto key = files.key.find(plan.identity);
  if (certificate == files.certificate.end() || key == files.key.end()) {
    return MakeStatus(StatusCode::kInternal, "no certificate '{}' was minted", plan.identity);
  }
  options->client_certificate_file = certificate->second;
  options->client_key_file = key->second;
  return absl::OkStatus();
}

std::optional<ClientTls> MakeClientTls(const TlsPlan& plan,
                                       const wire::CertificateSet* certificates) {
  if (!plan.on) return std::nullopt;
  ClientTls tls;
  tls.server_name = plan.server_name;
  if (certificates == nullptr) return tls;
  if (!plan.ca.empty())
    tls.ca_pem = plan.ca == "wrong_ca" ? certificates->wrong_ca_pem : certificates->ca_pem;
  if (const wire::TlsIdentity* identity = certificates->Find(plan.identity)) {
    tls.certificate_chain_pem = identity->certificate_chain_pem;
    tls.private_key_pem = identity->private_key_pem;
  }
  return tls;
}

StatusOr<std::optional<ClientTls>> ExternalTls(const ExternalServer& external) {
  if (!external.tls) return std::optional<ClientTls>();
  ClientTls tls;
  SQUALL_ASSIGN_OR_RETURN(tls.ca_pem, ReadAll(external.ca_file));
  SQUALL_ASSIGN_OR_RETURN(tls.certificate_chain_pem, ReadAll(external.certificate_file));
  SQUALL_ASSIGN_OR_RETURN(tls.private_key_pem, ReadAll(external.key_file));
  tls.server_name = external.server_name;
  return std::optional<ClientTls>(std::move(tls));
}

}  // namespace squall::harness
