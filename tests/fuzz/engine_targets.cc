#include "tests/fuzz/engine_targets.h"

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/stubs/logging.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "base/api/messages.h"
#include "base/journal/journal.h"
#include "base/util/rng.h"
#include "base/wire/grpc.h"
#include "base/wire/misbehaviour.h"
#include "fakes/engine/engine.h"
#include "fakes/frontend/frontend.h"
#include "temporal/api/workflowservice/v1/request_response.pb.h"
#include "tests/fuzz/message_filler.h"

namespace squall::fuzz {
namespace {

using namespace fakes;  // NOLINT(google-build-using-namespace): all of what is fuzzed here
using google::protobuf::MethodDescriptor;
namespace ws = temporal::api::workflowservice::v1;

constexpr int kMostSteps = 120;
constexpr int kMostDeadlines = 200;  // that one step of time may stand at
constexpr Duration kCallLimit = std::chrono::seconds(30);

std::unique_ptr<google::protobuf::Message> New(const google::protobuf::Descriptor* type) {
  return std::unique_ptr<google::protobuf::Message>(
      google::protobuf::MessageFactory::generated_factory()->GetPrototype(type)->New());
}

// All methods that the engine handles.
const std::vector<const MethodDescriptor*>& Methods() {
  static const std::vector<const MethodDescriptor*> methods = [] {
    std::vector<const MethodDescriptor*> found;
    for (const RpcSupport& rpc : Engine::SupportTable()) {
      if (rpc.level == RpcSupport::Level::kRefused) continue;
      const auto* service = api::Pool().FindServiceByName(std::string(rpc.service));
      const auto* method =
          service == nullptr ? nullptr : service->FindMethodByName(std::string(rpc.method));
      if (method != nullptr) found.push_back(method);
    }
    return found;
  }();
  return methods;
}

const MethodDescriptor* Find(std::string_view name) {
  for (const MethodDescriptor* method : Methods()) {
    if (method->name() == name) return method;
  }
  SQUALL_CHECK(false, "the engine has no such method");
  return nullptr;
}

EngineOptions Options() {
  EngineOptions options;
  options.search_attributes = {{"K", "Keyword"}, {"N", "Int"}, {"B", "Bool"}};
  options.history_page_size = 8;
  options.workflow_pause = true;
  options.task_completion_pages = true;
  options.check_invariants = true;
  return options;
}

// SQUALL_FUZZ_TRACE=1 tells what a program does.
bool Tracing() {
  static const bool tracing = std::getenv("SQUALL_FUZZ_TRACE") != nullptr;
  return tracing;
}

// An engine with callers that remember what they are told.
class World {
 public:
  World() : engine_(Options(), sink_) {
    // What is no message is no news here.
    google::protobuf::SetLogHandler(nullptr);
  }

  std::uint64_t Send(const MethodDescriptor* method, std::string bytes) {
    const std::uint64_t call = ++last_call_;
    if (Tracing()) {
      const auto request = New(method->input_type());
      const bool parsed = request->ParseFromString(bytes);
      fmt::print(stderr, "{} {} {}{{{}}}\n", FormatDuration(clock_.Now() - SteadyTime{}), call,
                 method->name(), parsed ? request->ShortDebugString() : "no message");
    }
    open_[call] = method;
    RpcRequest request{.service = method->service()->full_name(),
                       .method = method->name(),
                       .metadata = {{"client-name", "temporal-go"}, {"client-version", "1.30.0"}},
                       .message = std::move(bytes),
                       .deadline = clock_.Now() + kCallLimit};
    engine_.Call(now(), call, std::move(request));
    Collect();
    return call;
  }
  void Cancel(std::uint64_t call) {
    open_.erase(call);
    engine_.Cancel(now(), call);
    Collect();
  }
  // One of the calls that are not answered yet; 0: there is none.
  std::uint64_t Open(std::size_t choice) const {
    if (open_.empty()) return 0;
    return std::next(open_.begin(), static_cast<std::ptrdiff_t>(choice % open_.size()))->first;
  }
  void Advance(Duration by) {
    const SteadyTime target = clock_.Now() + by;
    for (int i = 0; i < kMostDeadlines; ++i) {
      const auto next = engine_.NextDeadline();
      if (!next.has_value() || *next > target) {
        clock_.AdvanceTo(target);
        break;
      }
      clock_.AdvanceTo(*next);
      engine_.Advance(now());
      Collect();
    }
    engine_.Advance(now());
    Collect();
  }
  void Restart(bool keep_data) {
    if (Tracing()) fmt::print(stderr, "restart {}\n", keep_data);
    open_.clear();
    engine_.Restart(now(), keep_data);
    Collect();
  }
  // Every caller is answered by its deadline at the latest.
  void Finish() {
    const SteadyTime target = clock_.Now() + kCallLimit + std::chrono::seconds(5);
    clock_.AdvanceTo(target);
    engine_.Advance(now());
    Collect();
    SQUALL_CHECK(open_.empty(), fmt::format("{} is not answered", open_.begin()->second->name()));
    SQUALL_CHECK(engine_.held_calls() == 0, "calls are held that nobody made");
  }

  Moment now() const { return clock_.MomentNow(); }
  const Seen& seen() const { return seen_; }

  // What workers and clients do all the time.
  void Start(std::size_t id);
  void PollWorkflow(bool sticky);
  void PollActivity();
  // Answers the latest task that was handed out, with whatever `source` says; asks for one when
  // there is none.
  void AnswerTask(const char* method, std::vector<std::string>& tokens, ByteSource& source);
  void AnswerWorkflowTask(const char* method, ByteSource& source) {
    if (tasks_.empty()) return PollWorkflow(false);
    AnswerTask(method, tasks_, source);
  }
  void AnswerActivity(const char* method, ByteSource& source) {
    if (activities_.empty()) return PollActivity();
    AnswerTask(method, activities_, source);
  }
  // Calls answered with OK.
  std::size_t served() const { return served_; }

 private:
  void Collect() {
    for (RpcResponse& response : engine_.TakeResponses()) {
      const auto call = open_.find(response.call);
      SQUALL_CHECK(call != open_.end(), "an answer that nobody waits for, or a second one");
      if (Tracing()) {
        fmt::print(stderr, "    {}: {} {}\n", response.call, response.status.code,
                   response.status.message);
      }
      if (response.status.code == 0) {
        const auto answer = New(call->second->output_type());
        SQUALL_CHECK(answer->ParseFromString(response.message),
                     fmt::format("the answer of {} is no message", call->second->name()));
        seen_.Learn(*answer);
        ++served_;
        if (const auto* task = dynamic_cast<ws::PollWorkflowTaskQueueResponse*>(answer.get());
            task != nullptr && !task->task_token().empty() && !task->has_query()) {
          tasks_.push_back(task->task_token());
        }
        if (const auto* task = dynamic_cast<ws::PollActivityTaskQueueResponse*>(answer.get());
            task != nullptr && !task->task_token().empty()) {
          activities_.push_back(task->task_token());
        }
      } else {
        SQUALL_CHECK(response.status.code > 0 && response.status.code <= 16,
                     "a code of no meaning");
      }
      open_.erase(call);
    }
  }

  ManualClock clock_;
  journal::NullSink sink_;
  Engine engine_;
  std::map<std::uint64_t, const MethodDescriptor*> open_;
  std::uint64_t last_call_ = 0;
  Seen seen_;
  std::vector<std::string> tasks_, activities_;  // tokens
  std::size_t served_ = 0;
};

void World::Start(std::size_t id) {
  ws::StartWorkflowExecutionRequest request;
  request.set_namespace_("default");
  request.set_workflow_id(fmt::format("wf{}", id));
  request.mutable_workflow_type()->set_name("T");
  request.mutable_task_queue()->set_name("q0");
  request.set_request_id(fmt::format("start {} {}", id, last_call_));
  Send(Find("StartWorkflowExecution"), request.SerializeAsString());
}

void World::PollWorkflow(bool sticky) {
  ws::PollWorkflowTaskQueueRequest request;
  request.set_namespace_("default");
  request.set_identity("w0");
  request.mutable_task_queue()->set_name(sticky ? "sticky" : "q0");
  if (sticky) {
    request.mutable_task_queue()->set_kind(temporal::api::enums::v1::TASK_QUEUE_KIND_STICKY);
    request.mutable_task_queue()->set_normal_name("q0");
  }
  Send(Find("PollWorkflowTaskQueue"), request.SerializeAsString());
}

void World::PollActivity() {
  ws::PollActivityTaskQueueRequest request;
  request.set_namespace_("default");
  request.set_identity("w0");
  request.mutable_task_queue()->set_name("q0");
  Send(Find("PollActivityTaskQueue"), request.SerializeAsString());
}

void World::AnswerTask(const char* method, std::vector<std::string>& tokens, ByteSource& source) {
  const MethodDescriptor* rpc = Find(method);
  const auto request = New(rpc->input_type());
  const std::string token = tokens.back();
  if (!source.OneIn(8)) tokens.pop_back();
  Fill(*request, seen_, source);
  const auto set = [&request](const char* field, const std::string& value) {
    if (const auto* known = request->GetDescriptor()->FindFieldByName(field))
      request->GetReflection()->SetString(request.get(), known, value);
  };
  set("task_token", token);
  set("namespace", "default");
  Send(rpc, request->SerializeAsString());
}

void SendTyped(World& world, const MethodDescriptor* method, ByteSource& source) {
  const auto request = New(method->input_type());
  Fill(*request, world.seen(), source);
  world.Send(method, request->SerializeAsString());
}

}  // namespace

std::size_t EngineCalls(std::string_view program) {
  ByteSource source(program);
  World world;
  for (int step = 0; step < kMostSteps && !source.empty(); ++step) {
    switch (source.Below(16)) {
      case 0:
        world.Start(source.Below(3));
        break;
      case 1:
        world.PollWorkflow(source.OneIn(4));
        break;
      case 2:
        world.PollActivity();
        break;
      case 3:
      case 4:
        world.AnswerWorkflowTask("RespondWorkflowTaskCompleted", source);
        break;
      case 5: {
        static constexpr std::array<const char*, 4> kAnswers = {
            "RespondActivityTaskCompleted", "RespondActivityTaskFailed",
            "RespondActivityTaskCanceled", "RecordActivityTaskHeartbeat"};
        if (source.OneIn(6)) {
          world.AnswerWorkflowTask("RespondWorkflowTaskFailed", source);
        } else {
          world.AnswerActivity(kAnswers[source.Below(kAnswers.size())], source);
        }
        break;
      }
      case 6:
        world.Advance(std::chrono::milliseconds(100 * source.Byte()));
        break;
      case 7:
        if (source.OneIn(4)) {
          world.Advance(std::chrono::hours(source.Below(100)));
        } else if (source.OneIn(16)) {
          world.Restart(source.Below(2) == 0);
        } else if (const std::uint64_t call = world.Open(source.Byte()); call != 0) {
          world.Cancel(call);
        }
        break;
      default:
        SendTyped(world, Methods()[source.Below(Methods().size())], source);
    }
  }
  world.Finish();
  return world.served();
}

std::size_t EngineBytes(std::string_view bytes) {
  ByteSource source(bytes);
  World world;
  // Something to meet: a workflow with a task in progress, one without.
  world.Start(0);
  world.PollWorkflow(false);
  world.Start(1);
  for (int step = 0; step < kMostSteps && !source.empty(); ++step) {
    const std::size_t method = source.Byte();
    if (method >= Methods().size()) {
      world.Advance(std::chrono::milliseconds(100 * source.Byte()));
    } else {
      world.Send(Methods()[method], std::string(source.Chunk()));
    }
  }
  world.Finish();
  return world.served();
}

namespace {

// Rules that a connection may meet.
std::vector<wire::Rule> SomeRules() {
  static const std::vector<wire::Rule> rules = [] {
    auto parsed = wire::RulesFromJson(R"({"rules": [
      {"match": {"number": 1}, "do": {"delay": {"by": "1s", "way": "answer"}}},
      {"match": {"number": 2}, "do": {"answer_twice": {"as": "responses"}}},
      {"match": {"number": 3}, "do": {"malformed": {"how": "truncated"}}},
      {"match": {"number": 4}, "do": {"hold": {"gate": "g", "way": "request"}}},
      {"match": {"number": 5}, "do": {"oversized_header": {"bytes": 70000, "in": "trailers"}}},
      {"match": {"number": 6}, "do": {"http_answer": {"status": 504}}},
      {"match": {"number": 7}, "do": {"goaway": {"error": "ENHANCE_YOUR_CALM", "last_stream": "none"}}},
      {"match": {"number": 8}, "do": {"lose_answer": {"how": "reset_connection"}}},
      {"match": {"connection": 1}, "do": "withhold_window"}
    ]})");
    SQUALL_CHECK(parsed.ok(), "the rules of the fuzzer are wrong");
    return *std::move(parsed);
  }();
  return rules;
}

constexpr std::string_view kPreface("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 33);

// Counts the calls that reach the engine.
struct CountingSink final : journal::Sink {
  void Append(std::string_view, journal::Payload payload) override {
    const auto* rpc = std::get_if<journal::RpcEvent>(&payload);
    if (rpc != nullptr && rpc->what == "received") ++calls;
  }
  std::size_t calls = 0;
};

struct Behind {
  explicit Behind(FrontendOptions options)
      : engine(Options(), sink), frontend(std::move(options), engine, sink) {
    google::protobuf::SetLogHandler(nullptr);
  }
  ManualClock clock;
  CountingSink sink;
  Engine engine;
  Frontend frontend;
};

}  // namespace

std::size_t FrontendBytes(std::string_view bytes) {
  ByteSource source(bytes);
  const std::uint8_t flags = source.Byte();
  const std::size_t piece = source.Byte();
  const auto pause = std::chrono::milliseconds(10 * source.Byte());
  FrontendOptions options;
  if ((flags & 1) == 0) options.limits = ConnectionLimits::None();
  if ((flags & 2) != 0) {
    options.scoped_keys = {{.key = "secret", .namespaces = {"default"}, .methods = {"Get*"}}};
  }
  options.max_request_bytes = 1 << 16;
  Behind server(std::move(options));
  Frontend& frontend = server.frontend;
  const auto now = [&] { return server.clock.MomentNow(); };
  if ((flags & 4) != 0) {
    SQUALL_CHECK(frontend.SetRules(now(), SomeRules()).ok(), "the rules are refused");
  }

  const std::uint64_t connection = frontend.Accept(now(), "10.0.0.1:1");
  bool ended = false;
  const auto carry = [&] {
    for (const FrontendOutput& output : frontend.TakeOutput()) {
      SQUALL_CHECK(output.connection == connection && !ended, "output behind the end");
      ended = output.end != FrontendOutput::End::kKeep;
    }
  };
  if ((flags & 8) == 0) frontend.Receive(now(), connection, kPreface);
  const std::string_view rest = source.Rest();
  const std::size_t size = piece == 0 ? rest.size() + 1 : piece;
  for (std::size_t at = 0; at < rest.size(); at += size) {
    frontend.Receive(now(), connection, rest.substr(at, size));
    carry();
    server.clock.Advance(pause);
    if (pause.count() != 0) frontend.Advance(now());
    carry();
  }
  if ((flags & 16) != 0) {
    server.clock.Advance(std::chrono::minutes(10));
    frontend.Advance(now());
    carry();
  }
  frontend.PeerClosed(now(), connection, (flags & 32) != 0);
  carry();
  SQUALL_CHECK(frontend.connections() == 0, "a connection is left");
  SQUALL_CHECK(frontend.open_calls() == 0, "calls of a connection that is gone");
  SQUALL_CHECK(server.engine.held_calls() == 0, "held calls of a connection that is gone");
  return server.sink.calls;
}

std::vector<std::string> EngineSeeds() {
  // Programs of the dice, for both targets; and for the raw one, requests of each method.
  std::vector<std::string> seeds = {""};
  Rng rng(17);
  for (int i = 0; i < 24; ++i) {
    std::string program(40 + 40 * static_cast<std::size_t>(i % 12), '\0');
    rng.Fill({reinterpret_cast<std::uint8_t*>(program.data()), program.size()});
    seeds.push_back(std::move(program));
  }
  std::string all;
  const Seen nothing;
  for (std::size_t i = 0; i < Methods().size(); ++i) {
    std::string choices(200, '\0');
    rng.Fill({reinterpret_cast<std::uint8_t*>(choices.data()), choices.size()});
    ByteSource source(choices);
    const auto request = New(Methods()[i]->input_type());
    Fill(*request, nothing, source);
    const std::string bytes = request->SerializeAsString();
    std::string one(1, static_cast<char>(i));
    one += static_cast<char>(bytes.size() >> 8 & 0xff);
    one += static_cast<char>(bytes.size() & 0xff);
    all += one + bytes;
    if (all.size() > 1500) seeds.push_back(std::exchange(all, {}));
  }
  seeds.push_back(all);
  return seeds;
}

std::vector<std::string> FrontendSeeds() {
  std::vector<std::string> seeds = {"", std::string("\x8\0\0GET / HTTP/1.1\r\n\r\n", 21)};
  Behind server({});
  wire::GrpcClientOptions options;
  options.authority = "localhost";
  wire::GrpcClientConnection client(options);
  const std::uint64_t connection = server.frontend.Accept(server.clock.MomentNow(), "10.0.0.1:1");
  std::string said;
  const auto exchange = [&] {
    for (bool moved = true; moved;) {
      const std::string up = client.TakeOutput();
      said += up;
      server.frontend.Receive(server.clock.MomentNow(), connection, up);
      moved = !up.empty();
      for (const FrontendOutput& output : server.frontend.TakeOutput()) {
        SQUALL_CHECK(client.Feed(output.bytes).ok(), "the seeds are no HTTP/2");
        moved = true;
      }
    }
  };
  const auto call = [&](std::string service, std::string method, std::string message, bool gzip) {
    client.StartCall(
        {.service = std::move(service),
         .method = std::move(method),
         .metadata = {{"authorization", "Bearer secret"}, {"client-name", "temporal-go"}},
         .message = std::move(message),
         .timeout = std::chrono::seconds(10),
         .gzip = gzip},
        [](const wire::GrpcResponse&) {});
    exchange();
  };
  const std::string workflow(kWorkflowService);
  call(workflow, "GetSystemInfo", {}, false);
  ws::StartWorkflowExecutionRequest start;
  start.set_namespace_("default");
  start.set_workflow_id("wf0");
  start.mutable_workflow_type()->set_name("T");
  start.mutable_task_queue()->set_name("q0");
  call(workflow, "StartWorkflowExecution", start.SerializeAsString(), true);
  ws::PollWorkflowTaskQueueRequest poll;
  poll.set_namespace_("default");
  poll.mutable_task_queue()->set_name("q0");
  call(workflow, "PollWorkflowTaskQueue", poll.SerializeAsString(), false);
  call(workflow, "PollWorkflowTaskQueue", poll.SerializeAsString(), false);  // held
  call("grpc.health.v1.Health", "Watch", {}, false);
  call("grpc.reflection.v1.ServerReflection", "ServerReflectionInfo", std::string("\x3a\0", 2),
       false);
  call("no.such.Service", "Do", "x", false);
  client.http2().Ping("pingpong");
  exchange();
  // The preface is the target's own unless the fourth flag says otherwise.
  for (const char flags : {0, 4, 16 + 1, 2, 32 + 4 + 1}) {
    seeds.push_back(std::string{flags, 0, 0} + said.substr(kPreface.size() - 9));
    seeds.push_back(std::string{static_cast<char>(flags | 8), '\x11', 1} + said);
  }
  return seeds;
}

}  // namespace squall::fuzz
