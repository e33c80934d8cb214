#include "scenarios/format/step_reader.h"

#include <algorithm>
#include <cctype>
#include <csignal>
#include <map>
#include <set>

#include "base/util/text.h"
#include "scenarios/format/event_reader.h"
#include "scenarios/format/fault_catalogue.h"
#include "scenarios/format/tables.h"

namespace squall::scenarios {
namespace {

using std::chrono::seconds;

// Generous: a step that takes this long is stuck, not slow. Steps say their own with `within`.
constexpr Duration kStartLimit = seconds(30);
constexpr Duration kStopLimit = seconds(30);
constexpr Duration kWaitLimit = seconds(30);
constexpr Duration kActLimit = seconds(10);
constexpr Duration kSpanSlack = seconds(5);

class StepReader {
 public:
  StepReader(const ReadContext& context, const Topology& topology)
      : context_(context), topology_(topology) {}

  StatusOr<std::vector<Step>> Read(const YamlNode& list) {
    if (list.kind == YamlNode::Kind::kNull) return std::vector<Step>();
    if (list.kind != YamlNode::Kind::kList) {
      return ErrorAt(context_.file, list,
                     fmt::format("'steps' is a list, not {}", list.KindName()));
    }
    std::vector<Step> steps;
    for (const YamlNode& item : list.items) {
      number_ = steps.size() + 1;
      SQUALL_ASSIGN_OR_RETURN(Step step, ReadStep(item));
      if (!step.name.empty() && !names_.insert(step.name).second) {
        return ErrorAt(context_.file, *item.Find("name"),
                       fmt::format("two steps are named '{}'", step.name));
      }
      steps.push_back(std::move(step));
    }
    return steps;
  }

 private:
  StatusOr<Step> ReadStep(const YamlNode& item) {
    if (item.kind != YamlNode::Kind::kMap) {
      return ErrorAt(context_.file, item,
                     "a step is a map with one verb, such as `- start: worker`");
    }
    const ParamTable& common = TableOf("step").keys;
    const ObjectTable* verb = nullptr;
    const YamlNode* body = nullptr;
    YamlNode rest = item;
    rest.members.clear();
    for (const auto& [key, value] : item.members) {
      if (FindParam(common, key.text) != nullptr) {
        rest.members.push_back({key, value});
        continue;
      }
      const ObjectTable* found = FindStepTable(key.text);
      if (found == nullptr) {
        std::vector<std::string> words;
        for (const ObjectTable& table : StepTables()) words.push_back(table.name);
        for (const ParamSpec& spec : common) words.push_back(spec.name);
        return ErrorAt(context_.file, key,
                       fmt::format("there is no step '{}'{}", EscapeControl(key.text),
                                   DidYouMean(key.text, words)));
      }
      if (verb != nullptr) {
        return ErrorAt(context_.file, key,
                       fmt::format("one step has two verbs, '{}' and '{}': write two steps",
                                   verb->name, found->name));
      }
      verb = found;
      body = &value;
    }
    if (verb == nullptr)
      return ErrorAt(context_.file, item, "this step has no verb (start, run, wait, inject, ...)");
    SQUALL_ASSIGN_OR_RETURN(const ReadObject head, ReadTable(context_, rest, "a step", common));
    if (const YamlNode* name = head.Node("name"))
      SQUALL_RETURN_IF_ERROR(CheckIdentifier(context_, *name, "a step"));
    Step step;
    step.name = head.params.Text("name");
    step.optional = head.params.Bool("optional");
    step.pos = PosOf(context_, item);
    what_ = fmt::format("step '{}'", verb->name);
    ParamTable keys = verb->keys;
    if (verb->name == "inject") SQUALL_RETURN_IF_ERROR(AddFaultKeys(*body, &keys));
    SQUALL_ASSIGN_OR_RETURN(object_, ReadTable(context_, *body, what_, keys, verb->shorthand));
    verb_ = verb->name;
    SQUALL_RETURN_IF_ERROR(ReadAction(&step));
    if (head.params.Has("within")) step.within = head.params.Time("within");
    if (step.within <= Duration::zero())
      return ErrorAt(context_.file, item, "'within' is longer than nothing");
    return step;
  }

  Status AddFaultKeys(const YamlNode& body, ParamTable* keys) {
    const YamlNode* name = body.Find("fault");
    if (name == nullptr) return absl::OkStatus();  // ReadTable says what is missing
    const std::vector<const FaultDefinition*> rows = FaultsNamed(name->text);
    if (rows.empty()) {
      return ErrorAt(context_.file, *name,
                     fmt::format("there is no fault '{}'{}", EscapeControl(name->text),
                                 DidYouMean(name->text, FaultNames())));
    }
    // Of those with this name the one for what `on` names; ReadInject says when there is none.
    fault_ = rows.front();
    if (const YamlNode* on = body.Find("on"); on != nullptr) {
      const std::string& first = on->items.empty() ? on->text : on->items.front().text;
      const std::vector<std::string> nodes = Meant(first);
      const auto target = nodes.empty() ? std::nullopt : TargetOf(nodes.front());
      for (const FaultDefinition* row : rows) {
        if (row->target == target) fault_ = row;
      }
    }
    keys->insert(keys->end(), fault_->params.begin(), fault_->params.end());
    what_ = fmt::format("fault '{}'", fault_->name);
    return absl::OkStatus();
  }

  // What a fault on this node goes into; nothing for other nodes and for unknown names.
  std::optional<FaultTarget> TargetOf(const std::string& node) const {
    if (topology_.Link(node) != nullptr) return FaultTarget::kLink;
    if (topology_.Server(node) != nullptr) return FaultTarget::kServer;
    if (topology_.Worker(node) != nullptr) return FaultTarget::kWorker;
    return std::nullopt;
  }

  // The names of a list key, groups (a worker with a count) unrolled, each of one of the allowed
  // kinds.
  StatusOr<std::vector<std::string>> NodeList(std::string_view key, std::string_view kinds) {
    std::vector<std::string> nodes;
    const YamlNode* given = object_.Node(key);
    const std::vector<const YamlNode*> items = [&] {
      std::vector<const YamlNode*> list;
      if (given->kind == YamlNode::Kind::kList) {
        for (const YamlNode& item : given->items) list.push_back(&item);
      } else {
        list.push_back(given);
      }
      return list;
    }();
    for (const YamlNode* item : items) {
      const std::string& name = item->text;
      if (Allowed(name, kinds)) {
        nodes.push_back(name);
        continue;
      }
      const std::vector<std::string> group = Group(name);
      if (!group.empty() && kinds.find('w') != std::string_view::npos) {
        nodes.insert(nodes.end(), group.begin(), group.end());
        continue;
      }
      std::vector<std::string> candidates;
      for (const auto& [known, kind] : context_.names->nodes) {
        if (Allowed(known, kinds)) candidates.push_back(known);
      }
      return ErrorAt(context_.file, *item,
                     fmt::format("{}: there is no {} '{}'{}", what_, KindsText(kinds),
                                 EscapeControl(name), DidYouMean(name, candidates)));
    }
    if (nodes.empty())
      return ErrorAt(context_.file, *given, fmt::format("'{}' of {} names nothing", key, what_));
    return nodes;
  }

  // kinds: s server, i ingress, w worker.
  bool Allowed(const std::string& name, std::string_view kinds) const {
    const auto has = [&](char c) { return kinds.find(c) != std::string_view::npos; };
    return (has('s') && topology_.Server(name) != nullptr) ||
           (has('i') && topology_.Ingress(name) != nullptr) ||
           (has('w') && topology_.Worker(name) != nullptr);
  }
  static std::string KindsText(std::string_view kinds) {
    std::vector<std::string_view> words;
    if (kinds.find('s') != std::string_view::npos) words.emplace_back("server");
    if (kinds.find('i') != std::string_view::npos) words.emplace_back("ingress");
    if (kinds.find('w') != std::string_view::npos) words.emplace_back("worker");
    return fmt::format("{}", fmt::join(words, " or "));
  }
  std::vector<std::string> Group(const std::string& name) const {
    std::vector<std::string> members;
    for (int i = 1; topology_.Worker(fmt::format("{}-{}", name, i)) != nullptr; ++i) {
      members.push_back(fmt::format("{}-{}", name, i));
    }
    return members;
  }

  StatusOr<std::string> OneNode(std::string_view key, std::string_view kinds) {
    SQUALL_ASSIGN_OR_RETURN(const std::vector<std::string> nodes, NodeList(key, kinds));
    if (nodes.size() > 1) {
      return ErrorAt(context_.file, *object_.Node(key),
                     fmt::format("'{}' of {} is one node, not {}", key, what_, nodes.size()));
    }
    return nodes.front();
  }

  void Fill(Step* step, StepAction action, std::string text, Duration within) {
    step->action = std::move(action);
    step->text = std::move(text);
    step->within = within;
  }

  Status ReadAction(Step* step) {
    const Params& p = object_.params;
    if (verb_ == "start") {
      SQUALL_ASSIGN_OR_RETURN(auto nodes, NodeList("nodes", "siw"));
      Fill(step, StartStep{nodes}, fmt::format("start {}", fmt::join(nodes, ", ")), kStartLimit);
    } else if (verb_ == "stop") {
      SQUALL_ASSIGN_OR_RETURN(auto nodes, NodeList("nodes", "siw"));
      const std::string signal = p.Text("signal");
      Fill(step, StopStep{nodes, signal},
           fmt::format("stop {} (SIG{})", fmt::join(nodes, ", "), signal), kStopLimit);
    } else if (verb_ == "kill") {
      SQUALL_ASSIGN_OR_RETURN(auto nodes, NodeList("nodes", "sw"));
      Fill(step, KillStep{nodes}, fmt::format("kill {}", fmt::join(nodes, ", ")), kActLimit);
    } else if (verb_ == "pause") {
      SQUALL_ASSIGN_OR_RETURN(auto nodes, NodeList("nodes", "sw"));
      Fill(step, PauseStep{nodes}, fmt::format("pause {}", fmt::join(nodes, ", ")), kActLimit);
    } else if (verb_ == "resume") {
      SQUALL_ASSIGN_OR_RETURN(auto nodes, NodeList("nodes", "sw"));
      Fill(step, ResumeStep{nodes}, fmt::format("resume {}", fmt::join(nodes, ", ")), kActLimit);
    } else if (verb_ == "restart") {
      return ReadRestart(step);
    } else if (verb_ == "signal") {
      return ReadSignal(step);
    } else if (verb_ == "run" || verb_ == "start_workflow") {
      return ReadWorkflow(step);
    } else if (verb_ == "await") {
      return ReadAwait(step);
    } else if (verb_ == "signal_workflow") {
      SignalWorkflowStep action{p.Text("id"), p.Text("signal"), p.Text("input", "null"),
                                p.Text("client"), NamespaceOr(p)};
      const std::string text = fmt::format("signal workflow {} with {}", action.id, action.signal);
      Fill(step, std::move(action), text, kWaitLimit);
    } else if (verb_ == "wait") {
      return ReadWait(step);
    } else if (verb_ == "wait_healthy") {
      SQUALL_ASSIGN_OR_RETURN(auto nodes, NodeList("workers", "w"));
      Fill(step, WaitHealthyStep{nodes},
           fmt::format("wait until {} is healthy", fmt::join(nodes, ", ")), kStartLimit);
    } else if (verb_ == "for") {
      const Duration duration = p.Time("duration");
      Fill(step, ForStep{duration}, fmt::format("for {}", FormatDuration(duration)),
           duration + kSpanSlack);
    } else if (verb_ == "inject") {
      return ReadInject(step);
    } else if (verb_ == "heal") {
      return ReadHeal(step);
    } else if (verb_ == "register_namespace" || verb_ == "delete_namespace") {
      const bool remove = verb_ == "delete_namespace";
      const std::string server = p.Text("server", topology_.servers.front().name);
      Fill(step, NamespaceStep{remove, p.Text("namespace"), server},
           fmt::format("{} namespace {} on {}", remove ? "delete" : "register", p.Text("namespace"),
                       server),
           kWaitLimit);
    } else if (verb_ == "call") {
      return ReadCall(step);
    } else if (verb_ == "close_client") {
      Fill(step, CloseClientStep{p.Text("client")}, "close client " + p.Text("client"), kActLimit);
    }
    return absl::OkStatus();
  }

  Status ReadRestart(Step* step) {
    const Params& p = object_.params;
    SQUALL_ASSIGN_OR_RETURN(const std::string node, OneNode("node", "siw"));
    RestartStep action{node, std::nullopt, p.Time("down_for"), p.Text("how") == "kill"};
    if (p.Has("data")) {
      if (topology_.Server(node) == nullptr) {
        return ErrorAt(context_.file, *object_.Node("data"),
                       fmt::format("'data' is of a server, and '{}' is none", node));
      }
      action.keep_data = p.Text("data") == "kept";
    }
    const Duration within = kStartLimit + kStopLimit + action.down_for;
    const std::string pause =
        action.down_for == Duration::zero() ? "" : ", down for " + FormatDuration(action.down_for);
    Fill(step, action,
         fmt::format("restart {} ({}{})", node, action.kill ? "killed" : "stopped", pause), within);
    return absl::OkStatus();
  }

  Status ReadSignal(Step* step) {
    SQUALL_ASSIGN_OR_RETURN(const std::string node, OneNode("node", "w"));
    static const std::map<std::string, int, std::less<>> kSignals = {
        {"INT", SIGINT},   {"TERM", SIGTERM}, {"HUP", SIGHUP},
        {"USR1", SIGUSR1}, {"USR2", SIGUSR2}, {"QUIT", SIGQUIT}};
    const std::string name = object_.params.Text("signal");
    Fill(step, SignalStep{node, kSignals.find(name)->second, name},
         fmt::format("send SIG{} to {}", name, node), kActLimit);
    return absl::OkStatus();
  }

  std::string NamespaceOr(const Params& p) const {
    if (p.Has("namespace")) return p.Text("namespace");
    const ClientSpec* client = topology_.Client(p.Text("client"));
    return client != nullptr ? client->ns : "default";
  }

  Status ReadWorkflow(Step* step) {
    const Params& p = object_.params;
    WorkflowStep action;
    action.wait_for_end = verb_ == "run";
    action.workflow = p.Text("workflow");
    std::string lower = action.workflow;
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char c) { return std::tolower(c); });
    action.id = p.Text("id", fmt::format("{}-{}", lower, number_));
    action.input = p.Text("input", "null");
    if (p.Has("result")) action.result = p.Text("result");
    action.status = p.Text("status", "completed");
    action.task_queue = p.Text(
        "task_queue", topology_.workers.empty() ? "squall" : topology_.workers.front().task_queue);
    action.ns = NamespaceOr(p);
    action.client = p.Text("client");
    action.count = static_cast<int>(p.Int("count"));
    action.parallel = p.Bool("parallel");
    if (p.Has("execution_timeout")) action.execution_timeout = p.Time("execution_timeout");
    action.may_be_refused = p.Bool("may_be_refused");
    if (action.count == 1) {
      workflow_ids_.insert(action.id);
    } else {
      for (int i = 1; i <= action.count; ++i)
        workflow_ids_.insert(fmt::format("{}-{}", action.id, i));
    }
    const std::string number = action.count == 1 ? "" : fmt::format("{} x ", action.count);
    Fill(step, action,
         fmt::format("{} {}{}", action.wait_for_end ? "run" : "start workflow", number,
                     action.workflow),
         kWaitLimit);
    return absl::OkStatus();
  }

  Status ReadAwait(Step* step) {
    const Params& p = object_.params;
    AwaitStep action;
    action.ids = p.Texts("ids");
    if (action.ids.size() == 1 && action.ids[0] == "all") action.ids.clear();
    const std::vector<std::string> known(workflow_ids_.begin(), workflow_ids_.end());
    for (const std::string& id : action.ids) {
      if (workflow_ids_.contains(id)) continue;
      return ErrorAt(context_.file, *object_.Node("ids"),
                     fmt::format("no step before this one starts a workflow '{}'{}",
                                 EscapeControl(id), DidYouMean(id, known)));
    }
    if (action.ids.empty()) action.ids = known;
    action.client = p.Text("client");
    action.ns = NamespaceOr(p);
    if (p.Has("result")) action.result = p.Text("result");
    action.status = p.Text("status");
    const std::string text = fmt::format(
        "await {}",
        p.Texts("ids").empty() ? "all workflows" : fmt::format("{}", fmt::join(action.ids, ", ")));
    Fill(step, std::move(action), text, kWaitLimit);
    return absl::OkStatus();
  }

  Status ReadWait(Step* step) {
    const Params& p = object_.params;
    SQUALL_ASSIGN_OR_RETURN(WaitStep action, ReadEvents(context_, object_));
    action.since = p.Text("since");
    if (action.since == "run") {
      action.since.clear();
    } else if (action.since != "step" && !names_.contains(action.since)) {
      return ErrorAt(
          context_.file, *object_.Node("since"),
          fmt::format(
              "no step before this one is named '{}'{}", EscapeControl(action.since),
              DidYouMean(action.since, {std::vector<std::string>(names_.begin(), names_.end())})));
    }
    const std::string text = "wait for " + DescribeEvents(action);
    Fill(step, std::move(action), text, kWaitLimit);
    return absl::OkStatus();
  }

  // The nodes that `on` means: names, groups unrolled, or all of one kind.
  StatusOr<std::vector<std::string>> FaultNodes() {
    const YamlNode& on = *object_.Node("on");
    std::vector<std::string> nodes;
    const std::vector<YamlNode> alone = {on};
    for (const YamlNode& item : on.kind == YamlNode::Kind::kList ? on.items : alone) {
      const std::vector<std::string> meant = Meant(item.text);
      if (meant.empty()) {
        std::vector<std::string> candidates = {"all links", "all servers", "all workers"};
        for (const auto& [known, kind] : context_.names->nodes) candidates.push_back(known);
        return ErrorAt(context_.file, item,
                       fmt::format("'on' of {}: there is no node '{}'{}", what_,
                                   EscapeControl(item.text), DidYouMean(item.text, candidates)));
      }
      for (const std::string& node : meant) {
        if (TargetOf(node) != fault_->target) {
          std::vector<std::string_view> wanted;
          for (const FaultDefinition* row : FaultsNamed(fault_->name))
            wanted.push_back(FaultTargetName(row->target));
          return ErrorAt(context_.file, item,
                         fmt::format("fault '{}' goes into a {}, and '{}' is none", fault_->name,
                                     fmt::join(wanted, " or "), node));
        }
        const LinkSpec* link = topology_.Link(node);
        if (link != nullptr && link->end != LinkSpec::End::kNode) {
          if (item.text == "all links") continue;
          return ErrorAt(context_.file, item,
                         fmt::format("the link '{}' leads nowhere: no fault goes into it", node));
        }
        if (std::find(nodes.begin(), nodes.end(), node) != nodes.end())
          return ErrorAt(context_.file, item, fmt::format("'on' names '{}' twice", node));
        nodes.push_back(node);
      }
    }
    if (nodes.empty()) return ErrorAt(context_.file, on, "'on' names nothing");
    return nodes;
  }

  // A node, the members of a group, or all of one kind; empty for none.
  std::vector<std::string> Meant(const std::string& name) const {
    const auto all = [](const auto& specs) {
      std::vector<std::string> names;
      for (const auto& spec : specs) names.push_back(spec.name);
      return names;
    };
    if (name == "all links") return all(topology_.links);
    if (name == "all servers") return all(topology_.servers);
    if (name == "all workers") return all(topology_.workers);
    if (const auto node = context_.names->nodes.find(name); node != context_.names->nodes.end()) {
      const std::vector<std::string> group = Group(name);
      return TargetOf(name) || group.empty() ? std::vector<std::string>{name} : group;
    }
    return Group(name);
  }

  Status ReadInject(Step* step) {
    const Params& p = object_.params;
    InjectStep action;
    action.fault = fault_->name;
    action.target = fault_->target;
    SQUALL_ASSIGN_OR_RETURN(action.on, FaultNodes());
    action.one = p.Text("pick") == "one";
    SQUALL_RETURN_IF_ERROR(ReadLabel(&action));
    SQUALL_RETURN_IF_ERROR(ReadRounds(&action));
    for (const ParamSpec& spec : fault_->params) {
      const auto it = p.values().find(spec.name);
      if (it != p.values().end()) action.params.Set(spec.name, it->second);
    }
    std::string text = fmt::format("inject {} into {}{}", action.fault, action.one ? "one of " : "",
                                   fmt::join(action.on, ", "));
    if (action.span) text += " for " + FormatDuration(*action.span);
    if (action.every) text += " every " + FormatDuration(*action.every);
    if (action.when) text += " when " + DescribeEvents(*action.when);
    // On a process it may take an end and a start.
    const Duration limit = fault_->target == FaultTarget::kLink
                               ? Duration(kActLimit)
                               : kStartLimit + kStopLimit + action.params.Time("down_for");
    Fill(step, std::move(action), std::move(text), limit);
    return absl::OkStatus();
  }

  Status ReadLabel(InjectStep* action) {
    action->as = object_.params.Text("as");
    if (action->as.empty()) {
      action->as = action->fault;
      for (int n = 2; labels_.contains(action->as); ++n)
        action->as = fmt::format("{}-{}", action->fault, n);
    } else if (labels_.contains(action->as)) {
      return ErrorAt(context_.file, *object_.Node("as"),
                     fmt::format("two faults are labelled '{}'", action->as));
    } else if (action->as.find_first_of("@#") != std::string::npos) {
      return ErrorAt(context_.file, *object_.Node("as"),
                     fmt::format("the label '{}' holds @ or #, which stand before the node and the "
                                 "round of a fault",
                                 EscapeControl(action->as)));
    }
    labels_.insert(action->as);
    return absl::OkStatus();
  }

  // When it comes, how long, how often.
  Status ReadRounds(InjectStep* action) {
    const Params& p = object_.params;
    if (p.Has("for")) {
      if (fault_->one_shot()) {
        return ErrorAt(context_.file, *object_.Node("for"),
                       fmt::format("fault '{}' happens once: it has no `for`", fault_->name));
      }
      action->span = p.Time("for");
    }
    if (const YamlNode* when = object_.Node("when")) {
      SQUALL_ASSIGN_OR_RETURN(const ReadObject event,
                              ReadTable(context_, *when, "'when' of " + what_, TableOf("when").keys,
                                        TableOf("when").shorthand));
      SQUALL_ASSIGN_OR_RETURN(action->when, ReadEvents(context_, event));
    }
    action->chance = p.Number("chance", 1);
    if (p.Has("times") && !p.Has("every")) {
      return ErrorAt(context_.file, *object_.Node("times"),
                     "'times' counts rounds: it needs an `every`");
    }
    action->times = static_cast<int>(p.Int("times"));
    if (!p.Has("every")) return absl::OkStatus();
    action->every = p.Time("every");
    const bool over = fault_->one_shot() || (action->span && *action->span < *action->every);
    if (!over || *action->every <= Duration::zero()) {
      return ErrorAt(context_.file, *object_.Node("every"),
                     fmt::format("`every` needs a `for` that is shorter, so that one round of "
                                 "'{}' is over before the next begins",
                                 fault_->name));
    }
    return absl::OkStatus();
  }

  Status ReadHeal(Step* step) {
    HealStep action{object_.params.Texts("faults")};
    if (action.faults.size() == 1 && action.faults[0] == "all") action.faults.clear();
    for (const std::string& label : action.faults) {
      if (labels_.contains(label)) continue;
      return ErrorAt(
          context_.file, *object_.Node("faults"),
          fmt::format(
              "no step before this one injects '{}'{}", EscapeControl(label),
              DidYouMean(label, {std::vector<std::string>(labels_.begin(), labels_.end())})));
    }
    const std::string text =
        action.faults.empty() ? "heal all" : fmt::format("heal {}", fmt::join(action.faults, ", "));
    Fill(step, std::move(action), text, kStartLimit);
    return absl::OkStatus();
  }

  Status ReadCall(Step* step) {
    const Params& p = object_.params;
    CallStep action;
    action.method = p.Text("method");
    action.request = p.Text("request", "{}");
    action.client = p.Text("client");
    if (p.Has("code")) {
      action.code = p.Text("code");
      if (CodeFromName(*action.code) < 0) {
        return ErrorAt(context_.file, *object_.Node("code"),
                       fmt::format("'{}' is no gRPC status", EscapeControl(*action.code)));
      }
    }
    const ClientSpec* client = topology_.Client(action.client);
    const Duration within =
        (client != nullptr ? client->timeout : Duration(kActLimit)) + kSpanSlack;
    Fill(step, action, "call " + action.method, within);
    return absl::OkStatus();
  }

  const ReadContext& context_;
  const Topology& topology_;
  std::size_t number_ = 0;
  std::string verb_, what_;
  ReadObject object_;
  const FaultDefinition* fault_ = nullptr;
  std::set<std::string> names_, labels_, workflow_ids_;
};

}  // namespace

Status CheckIdentifier(const ReadContext& context, const YamlNode& node, std::string_view what) {
  constexpr std::size_t kNameMax = 64;
  const std::string& name = node.text;
  const auto alnum = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; };
  const bool good =
      !name.empty() && name.size() <= kNameMax && alnum(name[0]) &&
      std::all_of(name.begin(), name.end(), [&](char c) {
        return alnum(c) || std::string_view("_.-:>").find(c) != std::string_view::npos;
      });
  if (good) return absl::OkStatus();
  return ErrorAt(context.file, node,
                 fmt::format("'{}' is no name for {}: letters, digits and _ . - : >, at most {}",
                             EscapeControl(name.substr(0, 80)), what, kNameMax));
}

StatusOr<std::vector<Step>> ReadSteps(const ReadContext& context, const YamlNode& list,
                                      const Topology& topology) {
  return StepReader(context, topology).Read(list);
}

}  // namespace squall::scenarios
