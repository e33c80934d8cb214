#include "fakes/server/state_format.h"

#include <fmt/ranges.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <optional>

#include "fakes/engine/settings.h"

namespace squall::fakes::state {
namespace {

constexpr std::size_t kHead = 12;

// Metadata that no engine looks at: kept out to save space, and secrets for their own sake.
constexpr std::array<std::string_view, 8> kDropped = {
    "authorization", "user-agent",   "content-type",    "te",
    "grpc-encoding", "grpc-timeout", "accept-encoding", "grpc-accept-encoding"};

std::uint32_t Crc(std::string_view bytes) {
  return static_cast<std::uint32_t>(::crc32_z(
      ::crc32_z(0, nullptr, 0), reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

class Writer {
 public:
  template <typename Int>
  Writer& Number(Int value) {
    const auto bits = static_cast<std::uint64_t>(value);
    for (std::size_t i = 0; i < sizeof(Int); ++i) {
      bytes_.push_back(static_cast<char>(bits >> (8 * i) & 255));
    }
    return *this;
  }
  Writer& Text(std::string_view text) {
    Number(static_cast<std::uint32_t>(text.size()));
    bytes_.append(text);
    return *this;
  }
  Writer& Time(Moment now) {
    return Number(now.steady.time_since_epoch().count())
        .Number(now.wall.time_since_epoch().count());
  }
  std::string Take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

// Reads zeros once there is nothing left; ok() tells.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  template <typename Int>
  Int Number() {
    std::uint64_t bits = 0;
    if (bytes_.size() < sizeof(Int)) {
      ok_ = false;
      bytes_ = {};
      return 0;
    }
    for (std::size_t i = 0; i < sizeof(Int); ++i) {
      bits |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes_[i])) << (8 * i);
    }
    bytes_.remove_prefix(sizeof(Int));
    return static_cast<Int>(bits);
  }
  std::string Text() {
    const auto size = Number<std::uint32_t>();
    if (bytes_.size() < size) {
      ok_ = false;
      bytes_ = {};
      return {};
    }
    std::string text(bytes_.substr(0, size));
    bytes_.remove_prefix(size);
    return text;
  }
  Moment Time() {
    const auto steady = Number<std::int64_t>();
    return {SteadyTime(Duration(steady)), WallTime(Duration(Number<std::int64_t>()))};
  }
  // Everything was there, and nothing else.
  bool done() const { return ok_ && bytes_.empty(); }
  bool ok() const { return ok_; }

 private:
  std::string_view bytes_;
  bool ok_ = true;
};

std::string Nanoseconds(Duration duration) { return fmt::format("{} ns", duration.count()); }

// The payload of a whole frame at the offset.
std::optional<std::string_view> WholeFrame(std::string_view file, std::size_t offset) {
  if (file.size() - offset < kHead) return std::nullopt;
  const std::string_view head = file.substr(offset, kHead);
  Reader reader(head);
  const auto size = reader.Number<std::uint32_t>();
  const auto crc = reader.Number<std::uint32_t>();
  if (reader.Number<std::uint32_t>() != Crc(head.substr(0, 8))) return std::nullopt;
  if (file.size() - offset - kHead < size) return std::nullopt;
  const std::string_view payload = file.substr(offset + kHead, size);
  if (Crc(payload) != crc) return std::nullopt;
  return payload;
}

}  // namespace

Header HeaderOf(const EngineOptions& options) {
  Header header;
  const auto add = [&header](std::string_view name, std::string_view value) {
    header.options.emplace_back(name, value);
  };
  const auto flag = [](bool on) { return std::string(on ? "on" : "off"); };
  add("seed", fmt::format("{}", options.seed));
  add("namespaces", fmt::format("{}", fmt::join(options.namespaces, ", ")));
  std::string attributes;
  for (const auto& [name, type] : options.search_attributes) {
    attributes += fmt::format("{}{}={}", attributes.empty() ? "" : ", ", name, type);
  }
  add("search attributes", attributes);
  add("server version", options.server_version);
  add("cluster name", options.cluster_name);
  add("long poll", Nanoseconds(options.long_poll));
  add("long poll margin", Nanoseconds(options.long_poll_margin));
  add("history long poll", Nanoseconds(options.history_long_poll));
  add("workflow task time-out", Nanoseconds(options.workflow_task_timeout));
  add("sticky poller window", Nanoseconds(options.sticky_poller_window));
  add("complete polls on shutdown", flag(options.complete_polls_on_shutdown));
  add("workflow pause", flag(options.workflow_pause));
  add("task completion pages", flag(options.task_completion_pages));
  add("fairness", flag(options.fairness));
  add("worker commands", flag(options.worker_commands));
  add("version drainage interval", Nanoseconds(options.version_drainage_interval));
  add("poller memory", Nanoseconds(options.poller_memory));
  add("query time-out", Nanoseconds(options.query_timeout));
  add("history page size", fmt::format("{}", options.history_page_size));
  for (const auto& [name, value] : LimitSettings(options.limits))
    add(std::string(name), fmt::format("{}", value));
  return header;
}

std::string Encode(const Header& header) {
  Writer writer;
  writer.Number(header.format).Number(static_cast<std::uint32_t>(header.options.size()));
  for (const auto& [name, value] : header.options) writer.Text(name).Text(value);
  return writer.Take();
}

std::string Encode(const EngineInput& input, std::uint64_t digest) {
  Writer writer;
  const auto begin = [&](Record::Kind kind) {
    writer.Number(static_cast<std::uint8_t>(kind)).Time(input.now).Number(digest);
  };
  switch (input.kind) {
    case EngineInput::Kind::kAdvance:
      begin(Record::Kind::kAdvance);
      break;
    case EngineInput::Kind::kCancel:
      begin(Record::Kind::kCancel);
      writer.Number(input.call);
      break;
    case EngineInput::Kind::kRestart:
      begin(Record::Kind::kRestart);
      writer.Number(static_cast<std::uint8_t>(input.keep_data));
      break;
    case EngineInput::Kind::kCall: {
      begin(Record::Kind::kCall);
      const RpcRequest& request = *input.request;
      writer.Number(input.call).Text(request.service).Text(request.method);
      std::vector<std::pair<std::string_view, std::string_view>> kept;
      for (const auto& [key, value] : request.metadata) {
        if (std::find(kDropped.begin(), kDropped.end(), key) == kDropped.end()) {
          kept.emplace_back(key, value);
        }
      }
      writer.Number(static_cast<std::uint32_t>(kept.size()));
      for (const auto& [key, value] : kept) writer.Text(key).Text(value);
      writer.Number(static_cast<std::uint8_t>(request.deadline.has_value()));
      writer.Number(request.deadline.value_or(SteadyTime{}).time_since_epoch().count());
      writer.Text(request.message);
      break;
    }
  }
  return writer.Take();
}

std::string EncodeOffset(Moment now, Duration offset) {
  Writer writer;
  return writer.Number(static_cast<std::uint8_t>(Record::Kind::kOffset))
      .Time(now)
      .Number(offset.count())
      .Take();
}

StatusOr<Header> DecodeHeader(std::string_view payload) {
  Reader reader(payload);
  Header header;
  header.format = reader.Number<std::uint32_t>();
  if (header.format != kFormat) {
    return MakeStatus(StatusCode::kFailedPrecondition,
                      "it is in format {}; this squall reads and writes format {}", header.format,
                      kFormat);
  }
  const auto count = reader.Number<std::uint32_t>();
  for (std::uint32_t i = 0; i < count && reader.ok(); ++i) {
    std::string name = reader.Text();
    header.options.emplace_back(std::move(name), reader.Text());
  }
  if (!reader.done()) return Status(StatusCode::kDataLoss, "its header makes no sense");
  return header;
}

StatusOr<Record> DecodeRecord(std::string_view payload) {
  Reader reader(payload);
  Record record;
  record.kind = static_cast<Record::Kind>(reader.Number<std::uint8_t>());
  record.now = reader.Time();
  if (record.kind == Record::Kind::kOffset) {
    record.offset = Duration(reader.Number<Duration::rep>());
  } else {
    record.digest = reader.Number<std::uint64_t>();
  }
  switch (record.kind) {
    case Record::Kind::kAdvance:
    case Record::Kind::kOffset:
      break;
    case Record::Kind::kCancel:
      record.call = reader.Number<std::uint64_t>();
      break;
    case Record::Kind::kRestart:
      record.keep_data = reader.Number<std::uint8_t>() != 0;
      break;
    case Record::Kind::kCall: {
      record.call = reader.Number<std::uint64_t>();
      record.request.service = reader.Text();
      record.request.method = reader.Text();
      const auto count = reader.Number<std::uint32_t>();
      for (std::uint32_t i = 0; i < count && reader.ok(); ++i) {
        std::string key = reader.Text();
        record.request.metadata.emplace(std::move(key), reader.Text());
      }
      const bool has_deadline = reader.Number<std::uint8_t>() != 0;
      const SteadyTime deadline(Duration(reader.Number<Duration::rep>()));
      if (has_deadline) record.request.deadline = deadline;
      record.request.message = reader.Text();
      break;
    }
    default:
      return Status(StatusCode::kDataLoss, "a record of an unknown kind");
  }
  if (!reader.done()) return Status(StatusCode::kDataLoss, "a record that makes no sense");
  return record;
}

std::string Frame(std::string_view payload) {
  Writer head;
  head.Number(static_cast<std::uint32_t>(payload.size())).Number(Crc(payload));
  std::string frame = head.Take();
  Writer check;
  frame += check.Number(Crc(frame)).Take();
  frame += payload;
  return frame;
}

FrameAt ReadFrame(std::string_view file, std::size_t offset) {
  if (offset == file.size()) return {.state = FrameAt::State::kEnd, .payload = {}, .next = offset};
  if (const auto payload = WholeFrame(file, offset)) {
    return {.state = FrameAt::State::kWhole,
            .payload = *payload,
            .next = offset + kHead + payload->size()};
  }
  // The check of the head keeps this search linear.
  for (std::size_t behind = offset + 1; behind + kHead <= file.size(); ++behind) {
    if (WholeFrame(file, behind)) {
      return {.state = FrameAt::State::kDamaged, .payload = {}, .next = behind};
    }
  }
  return {.state = FrameAt::State::kTorn, .payload = {}, .next = file.size()};
}

}  // namespace squall::fakes::state
