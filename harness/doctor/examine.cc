#include "harness/doctor/examine.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "harness/doctor/canary.h"
#include "harness/doctor/converse.h"
#include "harness/doctor/deep.h"
#include "harness/doctor/expectations.h"
#include "harness/doctor/handshake.h"
#include "harness/doctor/reach.h"
#include "harness/doctor/worker_probe.h"

namespace squall::doctor {
namespace {

// Most layers are always looked at; these where there is a reason.
bool Asked(Layer layer, const Target& target, const ExamineOptions& options) {
  switch (layer) {
    case Layer::kProxy:
      return target.proxy.has_value();
    case Layer::kTypes:
      return !options.expectations.empty() && options.stage != Stage::kComponent;
    case Layer::kPath:
      return options.deep;
    case Layer::kCanary:
      return !options.canary.empty();
    default:
      return true;
  }
}

// Where the way there fails and a proxy is set that was not gone through, that may be why.
void RemindOfProxy(const Target& target, Diagnosis& diagnosis) {
  if (target.proxy_note.empty()) return;
  for (Finding& finding : diagnosis.findings) {
    const Layer layer = FindCause(finding.cause)->layer;
    if (finding.weight == Weight::kNotice || layer < Layer::kDns || layer > Layer::kTls) continue;
    if (finding.fix.empty()) finding.fix = FindCause(finding.cause)->fix;
    finding.fix +=
        fmt::format(" Or the connection has to go through a proxy: {}.", target.proxy_note);
  }
}

// True when all that was meant to be looked at was.
bool Look(harness::AsioExecutor& executor, const Target& target, const ExamineOptions& options,
          Diagnosis& diagnosis) {
  const Limits limits = Limits{}.Times(options.patience);
  Probe probe{.executor = executor,
              .target = target,
              .limits = limits,
              .diagnosis = diagnosis,
              .sdk = options.sdk,
              .other_ports = options.other_ports,
              .tunnel = std::nullopt};
  const auto endpoint = target.proxy ? ReachProxy(probe, *target.proxy) : Reach(probe);
  if (!endpoint) return false;
  if (target.proxy) {
    probe.tunnel = AskProxy(probe, *target.proxy, *endpoint);
    if (!probe.tunnel) return false;
  }
  std::unique_ptr<Channel> channel;
  if (target.tls) {
    channel = Handshake(probe, *endpoint);
    if (channel == nullptr) return false;
  } else {
    diagnosis.Row(Layer::kTls, "", State::kSkipped, "plaintext");
  }
  const auto rpc = Converse(probe, *endpoint, std::move(channel));
  if (rpc == nullptr) return false;
  WorkerProbeOptions worker;
  worker.expect_pollers = options.expect_pollers || options.stage == Stage::kIntegration;
  worker.look_at_queue = options.stage != Stage::kComponent;
  worker.tag = options.tag;
  if (!ProbeWorker(probe, *rpc, worker)) return false;
  if (Asked(Layer::kTypes, target, options) &&
      !ProbeExpectations(probe, *rpc, options.expectations))
    return false;
  if (!options.canary.empty()) {
    CanaryOptions canary;
    canary.type = options.canary;
    canary.tag = options.tag;
    canary.limit = options.canary_limit;
    if (!ProbeCanary(probe, *rpc, canary)) return false;
  }
  if (options.deep) {
    DeepOptions deep = options.deep_options;
    deep.tag = options.tag;
    if (!ProbeDeep(probe, *rpc, deep)) return false;
  }
  return true;
}

// Rows for the layers that were not come to, and one order for all. A layer that was called skipped
// and then turned out to be at fault is shown once.
void Complete(const Target& target, const ExamineOptions& options, Diagnosis& diagnosis,
              std::string_view why) {
  for (int i = 0; i < kLayers; ++i) {
    const auto layer = static_cast<Layer>(i);
    const auto is_layer = [layer](const Check& check) { return check.layer == layer; };
    const bool more = std::ranges::any_of(diagnosis.checks, [&](const Check& check) {
      return is_layer(check) && check.state != State::kSkipped;
    });
    if (more) {
      std::erase_if(diagnosis.checks, [&](const Check& check) {
        return is_layer(check) && check.state == State::kSkipped && check.name.empty();
      });
    }
    // A layer that was fine at first and failed later has failed.
    const bool failed = std::ranges::any_of(diagnosis.checks, [&](const Check& check) {
      return is_layer(check) && check.state == State::kFail && check.name.empty();
    });
    if (failed) {
      std::erase_if(diagnosis.checks, [&](const Check& check) {
        return is_layer(check) && check.name.empty() && check.state != State::kFail;
      });
    }
    if (Asked(layer, target, options) && std::ranges::none_of(diagnosis.checks, is_layer))
      diagnosis.Row(layer, "", State::kSkipped, std::string(why));
  }
  std::ranges::stable_sort(diagnosis.checks, {}, &Check::layer);
}

}  // namespace

Limits Limits::Times(double factor) const {
  const auto scaled = [factor](Duration d) {
    return std::chrono::duration_cast<Duration>(d * factor);
  };
  Limits result;
  result.dns = scaled(dns);
  result.tcp = scaled(tcp);
  result.tcp_rest = scaled(tcp_rest);
  result.first_word = scaled(first_word);
  result.second_look = scaled(second_look);
  result.call = scaled(call);
  result.held_poll = scaled(held_poll);
  return result;
}

Diagnosis Examine(harness::AsioExecutor& executor, const Sources& sources,
                  const ExamineOptions& options) {
  const SteadyTime began = executor.clock().Now();
  Diagnosis diagnosis;
  const Settings settings = ReadSettings(sources);
  TargetOptions target_options;
  target_options.required = options.required;
  target_options.system_authorities_pem = options.system_authorities_pem;
  target_options.now = executor.clock().WallNow();
  target_options.sdk = options.sdk;
  const Target target = ResolveTarget(settings, target_options, sources.read_file, diagnosis);
  std::string_view why = "not come to";
  if (options.stage == Stage::kConfig) {
    diagnosis.complete = true;
    why = "not of this stage";
  } else if (!diagnosis.broken()) {
    diagnosis.complete = Look(executor, target, options, diagnosis);
  }
  // What the settings' slips led to is told behind what they are.
  RemindOfProxy(target, diagnosis);
  Complete(target, options, diagnosis, why);
  diagnosis.took = executor.clock().Now() - began;
  return diagnosis;
}

}  // namespace squall::doctor
