#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/util/text.h"
#include "harness/target/target.h"

namespace squall::harness {
namespace {

using nlohmann::json;

// Fills WorkerEvent's fields by their names in the journal; `bad` names the first one of a wrong
// type.
struct FieldReader {
  const json& object;
  std::string bad;

  const json* Find(const char* name) {
    const auto it = object.find(name);
    return it == object.end() || it->is_null() ? nullptr : &*it;
  }
  void Refuse(const char* name) {
    if (bad.empty()) bad = name;
  }
  void operator()(const char* name, std::string& value) {
    if (const json* found = Find(name))
      found->is_string() ? void(value = found->get<std::string>()) : Refuse(name);
  }
  void operator()(const char* name, std::int64_t& value) {
    if (const json* found = Find(name))
      found->is_number_integer() ? void(value = found->get<std::int64_t>()) : Refuse(name);
  }
  void operator()(const char* name, std::optional<int>& value) {
    if (const json* found = Find(name))
      found->is_number_integer() ? void(value = found->get<int>()) : Refuse(name);
  }
  void operator()(const char* name, Duration& value) {
    if (const json* found = Find(name))
      found->is_number_integer() ? void(value = Duration(found->get<std::int64_t>()))
                                 : Refuse(name);
  }
};

StatusOr<ChildOptions> MakeChild(const WorkerOptions& options) {
  ChildOptions child;
  child.name = options.name;
  child.role = "worker";
  child.clean_environment = options.clean_environment;
  child.log_directory = options.work_directory;
  child.working_directory = options.work_directory;
  child.stop_signal = options.stop_signal;
  child.stop_grace = options.stop_grace;
  child.ready.limit = options.ready_limit;

  const auto given = [](const std::string& text) {
    return text.empty() ? std::nullopt : std::optional<std::string>(text);
  };
  // The SDKs' names. What is not given is removed: nothing of the caller's own settings may reach a
  // worker under test.
  child.environment = {
      {"TEMPORAL_ADDRESS", options.address},
      {"TEMPORAL_NAMESPACE", options.ns},
      {"TEMPORAL_TASK_QUEUE", options.task_queue},
      {"TEMPORAL_API_KEY", given(options.api_key)},
      {"TEMPORAL_TLS", options.tls ? "true" : "false"},
      {"TEMPORAL_TLS_SERVER_CA_CERT_PATH", given(options.ca_file)},
      {"TEMPORAL_TLS_CLIENT_CERT_PATH", given(options.client_certificate_file)},
      {"TEMPORAL_TLS_CLIENT_KEY_PATH", given(options.client_key_file)},
      {"TEMPORAL_TLS_SERVER_NAME", given(options.server_name)},
      {"TEMPORAL_TLS_CERT", std::nullopt},
      {"TEMPORAL_TLS_KEY", std::nullopt},
      {"TEMPORAL_PROFILE", std::nullopt},
      {"TEMPORAL_CONFIG_FILE", std::nullopt},
      // A line must be seen when it is written, not when a buffer is full.
      {"PYTHONUNBUFFERED", "1"},
  };
  TemplateValues values = options.values;
  const auto set = [&](const char* name, const std::string& value) { values[name] = value; };
  set("name", options.name);
  set("address", options.address);
  set("namespace", options.ns);
  set("task_queue", options.task_queue);
  set("api_key", options.api_key);
  set("tls", options.tls ? "true" : "false");
  set("ca_file", options.ca_file);
  set("client_certificate_file", options.client_certificate_file);
  set("client_key_file", options.client_key_file);
  set("server_name", options.server_name);
  set("work_directory", options.work_directory);
  for (const auto& [name, text] : options.environment) {
    if (!text) {
      child.environment[name] = std::nullopt;
      continue;
    }
    StatusOr<std::string> value = ExpandTemplate(*text, values);
    if (!value.ok())
      return Annotate(value.status(), fmt::format("worker {}: variable {}", options.name, name));
    child.environment[name] = *std::move(value);
  }

  switch (options.kind) {
    case WorkerKind::kSquallWorker: {
      SQUALL_ASSIGN_OR_RETURN(std::string program, FindOurProgram("squall-worker"));
      child.argv.push_back(std::move(program));
      break;
    }
    case WorkerKind::kSquallHost: {
      SQUALL_ASSIGN_OR_RETURN(std::string program, FindOurProgram("squall-host"));
      child.argv.push_back(std::move(program));
      break;
    }
    case WorkerKind::kPython: {
      SQUALL_ASSIGN_OR_RETURN(std::string program, FindPython());
      child.argv.push_back(std::move(program));
      break;
    }
    case WorkerKind::kCommand:
      if (options.command.empty())
        return MakeStatus(StatusCode::kInvalidArgument, "worker {}: no command", options.name);
      break;
  }
  for (const std::string& text : options.command) {
    StatusOr<std::string> argument = ExpandTemplate(text, values);
    if (!argument.ok())
      return Annotate(argument.status(),
                      fmt::format("worker {}: argument '{}'", options.name, text));
    child.argv.push_back(*std::move(argument));
  }
  return child;
}

}  // namespace

std::string_view WorkerKindName(WorkerKind kind) {
  switch (kind) {
    case WorkerKind::kSquallWorker:
      return "squall-worker";
    case WorkerKind::kSquallHost:
      return "squall-host";
    case WorkerKind::kPython:
      return "python";
    case WorkerKind::kCommand:
      return "command";
  }
  return "?";
}

StatusOr<std::string> ExpandTemplate(std::string_view text, const TemplateValues& values) {
  std::string result;
  while (!text.empty()) {
    if (text.starts_with("{{") || text.starts_with("}}")) {
      result += text.front();
      text.remove_prefix(2);
      continue;
    }
    if (text.front() == '}')
      return MakeStatus(StatusCode::kInvalidArgument,
                        "'}}' without '{{' (a brace is written twice)");
    if (text.front() != '{') {
      result += text.front();
      text.remove_prefix(1);
      continue;
    }
    const std::size_t end = text.find('}');
    if (end == std::string_view::npos)
      return MakeStatus(StatusCode::kInvalidArgument,
                        "'{{' without '}}' (a brace is written twice)");
    const std::string name(text.substr(1, end - 1));
    const auto value = values.find(name);
    if (value == values.end()) {
      std::vector<std::string> names;
      for (const auto& [known, ignored] : values) names.push_back(known);
      return MakeStatus(StatusCode::kInvalidArgument, "nothing is known as '{{{}}}'{}", name,
                        DidYouMean(name, names));
    }
    result += value->second;
    text.remove_prefix(end + 1);
  }
  return result;
}

StatusOr<std::optional<journal::WorkerEvent>> ParseLifecycleLine(std::string_view line) {
  static constexpr std::string_view kKey = "\"squall_event\"";
  if (!line.starts_with('{') || line.find(kKey) == std::string_view::npos)
    return std::optional<journal::WorkerEvent>();
  const json object = json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (object.is_discarded() || !object.is_object())
    return MakeStatus(StatusCode::kInvalidArgument, "a lifecycle line is not JSON: {}", line);
  const auto word = object.find("squall_event");
  // The key may stand deeper, in somebody's log: then it is not ours.
  if (word == object.end()) return std::optional<journal::WorkerEvent>();
  if (!word->is_string())
    return MakeStatus(StatusCode::kInvalidArgument, "squall_event is not a text: {}", line);
  journal::WorkerEvent event{.what = word->get<std::string>()};
  const auto& words = journal::WorkerEvent::kWords;
  if (std::find(words.begin(), words.end(), event.what) == words.end()) {
    const std::vector<std::string> known(words.begin(), words.end());
    return MakeStatus(StatusCode::kInvalidArgument, "no such lifecycle event: '{}'{}", event.what,
                      DidYouMean(event.what, known));
  }
  FieldReader reader{object, ""};
  event.Visit(reader);
  if (!reader.bad.empty())
    return MakeStatus(StatusCode::kInvalidArgument, "lifecycle field '{}' has the wrong type: {}",
                      reader.bad, line);
  return std::optional<journal::WorkerEvent>(std::move(event));
}

struct WorkerUnderTest::Impl {
  Impl(AsioExecutor& executor, journal::Sink& the_journal, WorkerOptions the_options,
       ChildOptions child)
      : journal(the_journal),
        options(std::move(the_options)),
        source("worker:" + options.name),
        own_argv(child.argv),
        own_environment(child.environment) {
    child.on_line = [this](Stream stream, std::string_view line) { OnLine(stream, line); };
    child.on_exit = options.on_exit;
    if (!options.ready_word.empty()) {
      child.ready.line = [word = options.ready_word](Stream stream, std::string_view line) {
        if (stream != Stream::kStdout) return false;
        const auto event = ParseLifecycleLine(line);
        return event.ok() && event->has_value() && (*event)->what == word;
      };
    }
    process = std::make_unique<ChildProcess>(executor, journal, std::move(child));
  }

  void Start(Done done) {
    std::vector<std::string> argv = own_argv;
    std::map<std::string, std::optional<std::string>> environment = own_environment;
    bool ends_it = false;
    for (const auto& [id, change] : changes) {
      if (!change.replace.empty()) argv = change.replace;
      argv.insert(argv.begin(), change.in_front.begin(), change.in_front.end());
      for (const auto& [name, value] : change.environment) environment[name] = value;
      ends_it = ends_it || change.ends_it;
    }
    argv.insert(argv.begin(), options.launcher.begin(), options.launcher.end());
    process->SetArgv(std::move(argv));
    process->SetEnvironment(std::move(environment));
    const int before = process->starts();
    process->Start([done = std::move(done)](const Status& status) {
      if (done) done(status);
    });
    if (process->starts() == before || !process->alive()) return;
    if (ends_it) process->BlameExit(Intent::kInjected);
    const auto told = launched;  // one of them may remove itself
    for (const auto& [id, hook] : told) hook();
  }

  void OnLine(Stream stream, std::string_view line) {
    if (stream != Stream::kStdout) return;
    StatusOr<std::optional<journal::WorkerEvent>> parsed = ParseLifecycleLine(line);
    if (!parsed.ok()) {
      journal.Append(
          source,
          journal::LogEvent{.what = "stdout",
                            .process = options.name,
                            .level = "ERROR",
                            .line = "[squall: " + std::string(Message(parsed.status())) + "]"});
      return;
    }
    if (!parsed->has_value()) return;
    journal::WorkerEvent event = **std::move(parsed);
    event.worker = options.name;
    if (event.pid == 0) event.pid = process->pid();
    if (event.task_queue.empty()) event.task_queue = options.task_queue;
    journal.Append(source, event);
    if (options.on_event) options.on_event(event);
  }

  journal::Sink& journal;
  const WorkerOptions options;
  const std::string source;
  // As the options say; what is launched has the changes of faults on top.
  const std::vector<std::string> own_argv;
  const std::map<std::string, std::optional<std::string>> own_environment;
  std::vector<std::pair<std::string, LaunchChange>> changes;
  std::map<std::string, std::function<void()>, std::less<>> launched;
  std::unique_ptr<ChildProcess> process;
};

StatusOr<std::unique_ptr<WorkerUnderTest>> WorkerUnderTest::Create(AsioExecutor& executor,
                                                                   journal::Sink& journal,
                                                                   WorkerOptions options) {
  SQUALL_ASSIGN_OR_RETURN(ChildOptions child, MakeChild(options));
  return std::unique_ptr<WorkerUnderTest>(new WorkerUnderTest(
      std::make_shared<Impl>(executor, journal, std::move(options), std::move(child))));
}

WorkerUnderTest::WorkerUnderTest(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
WorkerUnderTest::~WorkerUnderTest() = default;

const WorkerOptions& WorkerUnderTest::options() const { return impl_->options; }
void WorkerUnderTest::Start(Done done) { impl_->Start(std::move(done)); }
void WorkerUnderTest::ChangeLaunch(std::string_view fault_id, LaunchChange change) {
  RestoreLaunch(fault_id);
  impl_->changes.emplace_back(fault_id, std::move(change));
}
void WorkerUnderTest::RestoreLaunch(std::string_view fault_id) {
  std::erase_if(impl_->changes, [&](const auto& one) { return one.first == fault_id; });
}
void WorkerUnderTest::OnLaunch(std::string_view fault_id, std::function<void()> launched) {
  impl_->launched.erase(std::string(fault_id));
  if (launched) impl_->launched.emplace(fault_id, std::move(launched));
}
void WorkerUnderTest::Stop(Intent intent, ChildProcess::ExitCallback done) {
  impl_->process->Stop(intent, std::move(done));
}
void WorkerUnderTest::Kill(Intent intent, ChildProcess::ExitCallback done) {
  impl_->process->Kill(intent, std::move(done));
}
Status WorkerUnderTest::Signal(int signal, Intent intent) {
  return impl_->process->Signal(signal, intent);
}
Status WorkerUnderTest::Pause(Intent) { return impl_->process->Pause(); }
Status WorkerUnderTest::Resume(Intent) { return impl_->process->Resume(); }
ChildProcess& WorkerUnderTest::process() { return *impl_->process; }

}  // namespace squall::harness
