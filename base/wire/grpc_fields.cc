#include "base/wire/grpc_fields.h"

#include <charconv>

#include "base/util/text.h"

namespace squall::wire {
namespace {

bool IsBinary(std::string_view name) { return name.ends_with("-bin"); }

bool IsReserved(std::string_view name) {
  return name.starts_with(':') || name.starts_with("grpc-") || name == "content-type" ||
         name == "te";
}

}  // namespace

bool IsGrpcContentType(std::string_view value) {
  if (!value.starts_with(kGrpcContentType)) return false;
  value.remove_prefix(kGrpcContentType.size());
  return value.empty() || value.front() == '+' || value.front() == ';';
}

StatusOr<Metadata> TakeMetadata(Headers headers) {
  Metadata metadata;
  for (Header& header : headers) {
    if (IsReserved(header.name)) continue;
    if (!IsBinary(header.name)) {
      metadata.emplace(std::move(header.name), std::move(header.value));
      continue;
    }
    // Several values may stand in one field, with commas between.
    std::string_view rest = header.value;
    for (bool more = true; more;) {
      const std::size_t comma = rest.find(',');
      more = comma != std::string_view::npos;
      std::optional<std::string> value = Base64Decode(rest.substr(0, comma));
      if (!value.has_value()) {
        return MakeStatus(StatusCode::kInternal,
                          "malformed binary metadata \"{}\" in header \"{}\"",
                          EscapeControl(header.value), header.name);
      }
      metadata.emplace(header.name, *std::move(value));
      if (more) rest.remove_prefix(comma + 1);
    }
  }
  return metadata;
}

void AppendMetadata(const Metadata& metadata, Headers& headers) {
  for (const auto& [name, value] : metadata) {
    headers.push_back({name, IsBinary(name) ? Base64Encode(value) : value});
  }
}

void AppendStatus(const GrpcStatus& status, Headers& headers) {
  headers.push_back({"grpc-status", fmt::format("{}", status.code)});
  if (!status.message.empty()) {
    headers.push_back({"grpc-message", PercentEncode(status.message)});
  }
  if (!status.details.empty()) {
    headers.push_back({"grpc-status-details-bin", Base64Encode(status.details)});
  }
}

std::optional<GrpcStatus> ReadStatus(const Headers& headers) {
  const std::string_view text = FindHeader(headers, "grpc-status");
  if (text.empty()) return std::nullopt;
  GrpcStatus status;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), status.code);
  if (error != std::errc() || end != text.data() + text.size() || status.code < 0) {
    status.code = static_cast<int>(StatusCode::kUnknown);
    status.message = fmt::format("malformed grpc-status \"{}\"", EscapeControl(text));
    return status;
  }
  status.message = PercentDecode(FindHeader(headers, "grpc-message"));
  status.details =
      Base64Decode(FindHeader(headers, "grpc-status-details-bin")).value_or(std::string());
  return status;
}

GrpcStatus GrpcFailure(StatusCode code, std::string message) {
  return {static_cast<int>(code), std::move(message), {}};
}

}  // namespace squall::wire
