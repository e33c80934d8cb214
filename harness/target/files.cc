// Certificates and keys as files, and the programs that targets are made of.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "harness/target/server_base.h"

namespace squall::harness {
namespace {

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

bool Runnable(const std::string& path) {
  return ::access(path.c_str(), X_OK) == 0 && !std::filesystem::is_directory(path);
}

// The virtual environment that the set-up makes.
std::vector<std::string> VenvFolders() {
  std::vector<std::string> folders;
  if (const std::string venv = Variable("SQUALL_VENV"); !venv.empty())
    folders.push_back(venv + "/bin");
  if (const std::string source = Variable("SQUALL_SOURCE_DIR"); !source.empty())
    folders.push_back(source + "/.venv/bin");
  return folders;
}

Status WriteFile(const std::string& path, const std::string& text, mode_t mode) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
  if (fd < 0)
    return MakeStatus(StatusCode::kUnavailable, "create {}: {}", path, std::strerror(errno));
  std::string_view rest = text;
  while (!rest.empty()) {
    const ssize_t written = ::write(fd, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      const int number = errno;
      ::close(fd);
      return MakeStatus(StatusCode::kUnavailable, "write {}: {}", path, std::strerror(number));
    }
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  ::close(fd);
  return absl::OkStatus();
}

}  // namespace

Status WritePrivateFile(const std::string& path, const std::string& text) {
  return WriteFile(path, text, 0600);
}

StatusOr<CertificateFiles> WriteCertificates(const wire::CertificateSet& set,
                                             const std::string& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error)
    return MakeStatus(StatusCode::kUnavailable, "create {}: {}", directory, error.message());
  CertificateFiles files{.directory = directory,
                         .ca_pem = directory + "/ca.pem",
                         .wrong_ca_pem = directory + "/wrong_ca_root.pem"};
  SQUALL_RETURN_IF_ERROR(WriteFile(files.ca_pem, set.ca_pem, 0644));
  SQUALL_RETURN_IF_ERROR(WriteFile(files.wrong_ca_pem, set.wrong_ca_pem, 0644));
  for (const std::string& name : wire::CertificateSet::Names()) {
    const wire::TlsIdentity* identity = set.Find(name);
    const std::string certificate = fmt::format("{}/{}.pem", directory, name);
    const std::string key = fmt::format("{}/{}.key", directory, name);
    SQUALL_RETURN_IF_ERROR(WriteFile(certificate, identity->certificate_chain_pem, 0644));
    SQUALL_RETURN_IF_ERROR(WritePrivateFile(key, identity->private_key_pem));
    files.certificate[name] = certificate;
    files.key[name] = key;
  }
  return files;
}

StatusOr<std::string> FindTemporalCli() {
  if (const std::string named = Variable("SQUALL_TEMPORAL_CLI"); !named.empty()) {
    if (Runnable(named)) return named;
    return MakeStatus(StatusCode::kNotFound, "SQUALL_TEMPORAL_CLI names {}, which cannot be run",
                      named);
  }
  if (StatusOr<std::string> found = FindProgram("temporal"); found.ok()) return found;
  for (const std::string& folder : VenvFolders()) {
    if (Runnable(folder + "/temporal")) return folder + "/temporal";
  }
  return MakeStatus(StatusCode::kNotFound,
                    "no Temporal CLI: neither SQUALL_TEMPORAL_CLI nor PATH nor .venv/bin has it "
                    "(`make run` installs it)");
}

StatusOr<std::string> FindOurProgram(std::string_view name) {
  std::vector<std::string> folders;
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (!error) {
    folders.push_back(self.parent_path().string());
    folders.push_back((self.parent_path().parent_path() / "bin").string());
  }
  if (const std::string bin = Variable("SQUALL_BIN_DIR"); !bin.empty())
    folders.insert(folders.begin(), bin);
  for (const std::string& folder : folders) {
    const std::string path = folder + "/" + std::string(name);
    if (Runnable(path)) return path;
  }
  std::string searched;
  for (const std::string& folder : folders) searched += (searched.empty() ? "" : ", ") + folder;
  return MakeStatus(StatusCode::kNotFound, "no program {} in {} (not built?)", name, searched);
}

StatusOr<std::string> FindPython() {
  for (const std::string& folder : VenvFolders()) {
    if (Runnable(folder + "/python")) return folder + "/python";
  }
  return MakeStatus(StatusCode::kNotFound,
                    "no Python with the SDK: .venv/bin/python is missing (`make run` installs it)");
}

}  // namespace squall::harness
