#include "base/wire/misbehaviour_effects.h"

#include <algorithm>
#include <utility>

#include "base/util/text.h"
#include "base/wire/grpc_fields.h"
#include "base/wire/raw_frames.h"

namespace squall::wire {
namespace {

// Longest value of one field of an oversized header: some HPACK decoders take no value above 64
// KiB, whatever the peer's settings say of the block.
constexpr std::uint64_t kHeaderValue = 8192;
constexpr std::uint32_t kMaxWindow = 0x7fffffff;
constexpr std::uint32_t kMinFrame = 16384, kMaxFrame = 16777215;

std::string_view Reason(int http_status) {
  switch (http_status) {
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 413:
      return "Request Entity Too Large";
    case 429:
      return "Too Many Requests";
    case 500:
      return "Internal Server Error";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    default:
      return http_status < 400 ? "OK" : "Error";
  }
}

std::string PageText(int status, const std::string& body) {
  if (!body.empty()) return body;
  return fmt::format(
      "<html><head><title>{0} {1}</title></head><body><h1>{0} {1}</h1></body></html>\r\n", status,
      Reason(status));
}

bool SaidAtOnce(const std::pair<std::uint16_t, std::uint32_t>& setting) {
  const auto [id, value] = setting;
  return id == 3 || id == 6 || (id == 4 && value <= kMaxWindow) ||
         (id == 5 && value >= kMinFrame && value <= kMaxFrame);
}

void AddOversized(const OversizedHeader& oversized, AnswerParts& parts) {
  // An error is one block.
  Headers& where =
      oversized.in_trailers && !parts.trailers.empty() ? parts.trailers : parts.headers;
  for (std::uint64_t left = oversized.bytes; left > 0;) {
    const std::uint64_t n = std::min(left, kHeaderValue);
    where.push_back({"x-oversized", std::string(static_cast<std::size_t>(n), 'x')});
    left -= n;
  }
}

// The one message of an answer in the clear.
StatusOr<std::string> MessageOf(const AnswerParts& parts) {
  GrpcFrameParser parser(kDefaultMaxMessageBytes);
  std::vector<GrpcFrameParser::Frame> frames;
  SQUALL_RETURN_IF_ERROR(parser.Feed(parts.body, frames));
  if (frames.size() != 1) {
    return MakeStatus(StatusCode::kInternal, "the answer has {} messages", frames.size());
  }
  if (!frames.front().compressed) return std::move(frames.front().payload);
  return Gunzip(frames.front().payload, kDefaultMaxMessageBytes);
}

Status Malform(AnswerMalformed::How how, AnswerParts& parts) {
  std::string& body = parts.body;
  switch (how) {
    case AnswerMalformed::How::kGarbage:
      body = GrpcFrame(std::string(16, '\xff'));
      break;
    case AnswerMalformed::How::kTruncated:
      if (body.size() <= kGrpcPrefixBytes) body = GrpcFrame(std::string(2, '\0'));
      body.resize(body.size() - (body.size() - kGrpcPrefixBytes + 1) / 2);
      break;
    case AnswerMalformed::How::kCompressed: {
      // The flag alone is not enough: where no encoding is named, grpc-core takes the message as it
      // is.
      SQUALL_ASSIGN_OR_RETURN(const std::string message, MessageOf(parts));
      body = GrpcFrame(message, true);
      std::erase_if(parts.headers, [](const Header& h) { return h.name == "grpc-encoding"; });
      parts.headers.push_back({"grpc-encoding", "gzip"});
      break;
    }
  }
  return absl::OkStatus();
}

}  // namespace

HttpPage PageOf(int status, const std::string& content_type, const std::string& body) {
  return {{{":status", fmt::format("{}", status)}, {"content-type", content_type}},
          PageText(status, body)};
}

std::string Http1Page(const AnswerHttp& http) {
  const std::string page = PageText(http.status, http.body);
  return fmt::format(
      "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}",
      http.status, Reason(http.status), http.content_type, page.size(), page);
}

Headers GrpcResponseHeaders() {
  return {{":status", "200"}, {"content-type", std::string(kGrpcContentType)}};
}

Http2Options AdjustedHttp2(Http2Options options, const RulePtr& rule) {
  if (rule == nullptr || rule->rule.after > Duration::zero()) return options;
  if (const auto* http = EffectOf<AnswerHttp>(rule); http != nullptr && http->http1) {
    options.auto_settings = false;
  }
  if (const auto* settings = EffectOf<ChangeSettings>(rule)) {
    for (const auto& setting : settings->values) {
      if (!SaidAtOnce(setting)) continue;
      const auto [id, value] = setting;
      if (id == 3) options.max_concurrent_streams = value;
      if (id == 4) options.stream_window = value;
      if (id == 5) options.max_frame_size = value;
      if (id == 6) options.max_header_bytes = value;
    }
  }
  return options;
}

std::vector<std::pair<std::uint16_t, std::uint32_t>> SettingsLeft(const ChangeSettings& settings) {
  auto left = settings.values;
  std::erase_if(left, SaidAtOnce);
  return left;
}

GrpcStatus TooLarge(std::uint64_t bytes, const LimitMessage& limit) {
  return {static_cast<int>(StatusCode::kResourceExhausted),
          fmt::format("grpc: received message larger than max ({} vs. {})", bytes, limit.bytes),
          {}};
}

bool ShapesAnswers(const Effect& effect) {
  return std::holds_alternative<AnswerTwice>(effect) ||
         std::holds_alternative<AnswerEmpty>(effect) ||
         std::holds_alternative<AnswerMalformed>(effect) ||
         std::holds_alternative<ChangeAnswer>(effect) ||
         std::holds_alternative<MissingTrailers>(effect) ||
         std::holds_alternative<OversizedHeader>(effect);
}

StatusOr<bool> ShapeAnswer(const ActiveRule& active, const CallFacts& facts,
                           const MessageTools& tools, StreamId stream, AnswerParts& parts) {
  const Effect& effect = active.rule.effect;
  const bool ok = FindHeader(parts.trailers, "grpc-status") == "0";
  if (const auto* oversized = std::get_if<OversizedHeader>(&effect)) {
    AddOversized(*oversized, parts);
    return true;
  }
  if (const auto* twice = std::get_if<AnswerTwice>(&effect)) {
    if (twice->as == AnswerTwice::As::kResponses) {
      parts.raw = RawHeaders(stream, parts.headers, parts.trailers.empty());
      if (!parts.trailers.empty()) {
        parts.raw += RawData(stream, parts.body, false) + RawHeaders(stream, parts.trailers, true);
      }
      return true;
    }
    if (!ok) return false;
    parts.body += parts.body;
    return true;
  }
  if (!ok) return false;  // there is no message to do anything to
  if (const auto* empty = std::get_if<AnswerEmpty>(&effect)) {
    parts.body = empty->what == AnswerEmpty::What::kMessage ? GrpcFrame("") : std::string();
  } else if (const auto* malformed = std::get_if<AnswerMalformed>(&effect)) {
    SQUALL_RETURN_IF_ERROR(Malform(malformed->how, parts));
  } else if (const auto* change = std::get_if<ChangeAnswer>(&effect)) {
    SQUALL_ASSIGN_OR_RETURN(const std::string message, MessageOf(parts));
    const auto changed = tools.change(facts.service, facts.method, message, change->fields);
    if (!changed.ok()) {
      return MakeStatus(StatusCode::kInternal, "rule {}: {}", active.rule.id,
                        Message(changed.status()));
    }
    parts.body = GrpcFrame(*changed);
  } else if (std::holds_alternative<MissingTrailers>(effect)) {
    parts.with_trailers = false;
  } else {
    return false;
  }
  return true;
}

}  // namespace squall::wire
