#include "reports/work_folder.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include "reports/summary.h"

namespace squall::reports {

Status WriteResult(const std::string& folder, const SubjectReport& result) {
  const std::string path = folder + "/" + kResultFile;
  {
    std::ofstream file(path + ".part", std::ios::binary);
    file << SubjectJson(result);
    if (!file.flush()) return MakeStatus(StatusCode::kUnavailable, "{}: cannot be written", path);
  }
  std::error_code error;
  std::filesystem::rename(path + ".part", path, error);
  if (error) return MakeStatus(StatusCode::kUnavailable, "{}: {}", path, error.message());
  return absl::OkStatus();
}

StatusOr<SubjectReport> ReadResult(const std::string& folder) {
  const std::string path = folder + "/" + kResultFile;
  std::ifstream file(path, std::ios::binary);
  if (!file) return MakeStatus(StatusCode::kNotFound, "there is no {}", path);
  std::ostringstream text;
  text << file.rdbuf();
  auto result = SubjectFromJson(text.str());
  if (!result.ok()) return Annotate(result.status(), path);
  return result;
}

}  // namespace squall::reports
