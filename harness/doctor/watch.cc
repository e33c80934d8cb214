#include "harness/doctor/watch.h"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>

#include "base/util/status.h"
#include "base/util/text.h"
#include "harness/net/port.h"
#include "harness/proxy/http_server.h"
#include "harness/proxy/prometheus.h"
#include "reports/xml.h"

namespace squall::doctor {
namespace {

// Changes that the page shows.
constexpr std::size_t kKeptLines = 50;

std::string_view Word(Verdict verdict) {
  return verdict == Verdict::kUnknown ? "could not tell" : VerdictName(verdict);
}

std::string QueueText(const Diagnosis& diagnosis) {
  if (!diagnosis.queue) return "";
  const QueueFigures& queue = *diagnosis.queue;
  return fmt::format("{} workflow and {} activity pollers, {} tasks wait", queue.workflow_pollers,
                     queue.activity_pollers, queue.backlog);
}

// What makes one observation another than the one before: no figure that moves by itself.
std::string Essence(const Diagnosis& diagnosis) {
  std::string text(Word(diagnosis.verdict()));
  if (const Finding* cause = diagnosis.cause()) text += " " + cause->cause;
  if (diagnosis.queue) {
    text += fmt::format(" {} {} {}", diagnosis.queue->workflow_pollers,
                        diagnosis.queue->activity_pollers, diagnosis.queue->backlog > 0);
  }
  return text;
}

// HOST:PORT; port 0, which is no port to connect to, takes a free one.
StatusOr<harness::HostPort> ListenAddress(const std::string& text) {
  const bool any = text.ends_with(":0");
  auto where = harness::ParseHostPort(any ? text.substr(0, text.size() - 1) + "1" : text);
  if (where.ok() && any) where->port = 0;
  return where;
}

// One row for each poller.
std::string WorkersTable(const QueueFigures& queue) {
  if (queue.pollers.empty()) return "";
  std::string rows;
  for (const PollerRow& row : queue.pollers) {
    rows += fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td><td>{} ago</td></tr>\n", row.kind,
                        reports::XmlText(row.identity), reports::XmlText(row.version),
                        FormatDuration(row.age));
  }
  return fmt::format("<h2>Workers</h2><table>{}</table>", rows);
}

State WorstOf(const Diagnosis& diagnosis, Layer layer) {
  State worst = State::kSkipped;
  for (const Check& check : diagnosis.checks) {
    if (check.layer != layer || check.state == State::kSkipped) continue;
    worst = worst == State::kSkipped ? check.state : std::max(worst, check.state);
  }
  return worst;
}

}  // namespace

std::string WatchState::Observe(const Diagnosis& diagnosis, WallTime now) {
  ++examinations_;
  last_ = diagnosis;
  last_at_ = now;
  const Finding* cause = diagnosis.cause();
  if (cause != nullptr) ++causes_[cause->cause];
  const std::string essence = Essence(diagnosis);
  if (essence == told_) return "";
  told_ = essence;
  since_ = now;
  std::string line = fmt::format("{} {}", FormatSecond(now), Word(diagnosis.verdict()));
  if (cause != nullptr) {
    line +=
        fmt::format(": {} ({}): {}", FindCause(cause->cause)->title, cause->cause, cause->evidence);
  } else if (const std::string queue = QueueText(diagnosis); !queue.empty()) {
    line += ": " + queue;
  }
  line += fmt::format(" [{}]", FormatDuration(diagnosis.took));
  lines_.emplace_back(now, line);
  if (lines_.size() > kKeptLines) lines_.erase(lines_.begin());
  return line;
}

std::string WatchState::Metrics() const {
  using Prometheus = harness::PrometheusText;
  Prometheus text;
  text.Metric("squall_doctor_examinations_total", "counter", "Examinations so far.");
  text.Sample("", examinations_);
  text.Metric("squall_doctor_causes_total", "counter", "Examinations that named this cause.");
  for (const auto& [cause, count] : causes_) text.Sample(Prometheus::Label("cause", cause), count);
  if (!last_) return text.Take();
  text.Metric("squall_doctor_healthy", "gauge", "1: the last examination found nothing wrong.");
  text.Sample("", last_->verdict() == Verdict::kHealthy ? 1 : 0);
  text.Metric("squall_doctor_examination_seconds", "gauge", "How long the last examination took.");
  text.Sample("", fmt::format("{:.6f}", std::chrono::duration<double>(last_->took).count()));
  text.Metric("squall_doctor_layer_ok", "gauge",
              "1: ok or a warning, 0: failed; layers that were not come to are missing.");
  for (int i = 0; i < kLayers; ++i) {
    const State worst = WorstOf(*last_, static_cast<Layer>(i));
    if (worst == State::kSkipped) continue;
    text.Sample(Prometheus::Label("layer", LayerName(static_cast<Layer>(i))),
                worst == State::kFail ? 0 : 1);
  }
  if (last_->queue) {
    text.Metric("squall_doctor_pollers", "gauge", "Pollers of the task queue that polled lately.");
    text.Sample(Prometheus::Label("kind", "workflow"), last_->queue->workflow_pollers);
    text.Sample(Prometheus::Label("kind", "activity"), last_->queue->activity_pollers);
    text.Metric("squall_doctor_last_poll_seconds", "gauge",
                "How long ago the latest poll of this kind came.");
    for (const char* kind : {"workflow", "activity"}) {
      std::optional<Duration> latest;
      for (const PollerRow& row : last_->queue->pollers) {
        if (row.kind == kind) latest = std::min(latest.value_or(row.age), row.age);
      }
      if (latest)
        text.Sample(Prometheus::Label("kind", kind),
                    fmt::format("{:.3f}", std::chrono::duration<double>(*latest).count()));
    }
    text.Metric("squall_doctor_backlog_tasks", "gauge",
                "Tasks that wait in the task queue, about.");
    text.Sample("", last_->queue->backlog);
  }
  return text.Take();
}

std::string WatchState::Page() const {
  std::string rows, workers, changes;
  if (last_) {
    for (const Check& check : last_->checks) {
      rows += fmt::format(
          "<tr class=\"{0}\"><td>{0}</td><td>{1}</td><td>{2}</td><td>{3}</td></tr>\n",
          StateName(check.state), LayerName(check.layer),
          reports::XmlText(check.name.empty() ? check.detail : check.name + ": " + check.detail),
          check.took > Duration::zero() ? FormatDuration(check.took) : "");
    }
    if (last_->queue) workers = WorkersTable(*last_->queue);
  }
  for (auto line = lines_.rbegin(); line != lines_.rend(); ++line)
    changes += fmt::format("<li>{}</li>\n", reports::XmlText(line->second));
  const std::string verdict(last_ ? Word(last_->verdict()) : "not examined yet");
  return fmt::format(
      "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" "
      "content=\"5\">"
      "<title>{0}: squall doctor</title><style>body{{font:15px/1.5 sans-serif;margin:2rem "
      "auto;max-width:60rem;color:#222}}"
      "td{{padding:.15rem .8rem;vertical-align:top}}.ok td:first-child{{color:#17692b}}.warn "
      "td:first-child{{color:#8a5a00}}"
      ".fail "
      "td:first-child{{color:#b3261e;font-weight:bold}}.skipped{{color:#767676}}li{{font-family:"
      "monospace;font-size:13px}}</style></head>"
      "<body><h1>{0}</h1><p>{1}, since {2}, last looked at {3}, {4} "
      "times</p><table>{5}</table>{7}<h2>Changes</h2><ul>{6}</ul></body></html>\n",
      reports::XmlText(verdict), reports::XmlText(last_ ? last_->target : ""), FormatSecond(since_),
      FormatSecond(last_at_), examinations_, rows, changes, workers);
}

StatusOr<Verdict> Watch(harness::AsioExecutor& executor, const WatchOptions& options,
                        const std::function<Diagnosis()>& examine) {
  WatchState state;
  std::unique_ptr<harness::HttpServer> server;
  if (!options.listen.empty()) {
    SQUALL_ASSIGN_OR_RETURN(const harness::HostPort where, ListenAddress(options.listen));
    SQUALL_ASSIGN_OR_RETURN(
        server,
        harness::HttpServer::Start(executor, where, [&state](const harness::ApiRequest& request) {
          if (request.path == "/metrics")
            return harness::ApiReply{200, harness::kPrometheusType, state.Metrics()};
          if (request.path == "/")
            return harness::ApiReply{200, "text/html; charset=utf-8", state.Page()};
          return harness::ApiReply{404, "text/plain", "there are / and /metrics\n"};
        }));
    options.print(fmt::format("page and metrics on http://{}/", server->where().ToString()));
  }
  bool stopped = false;
  boost::asio::signal_set signals(executor.io(), SIGINT, SIGTERM);
  signals.async_wait(
      [&stopped](const boost::system::error_code& error, int) { stopped = stopped || !error; });
  for (std::uint64_t done = 0; !stopped;) {
    const std::string line = state.Observe(examine(), executor.clock().WallNow());
    if (!line.empty()) options.print(line);
    if (++done == options.count) break;
    executor.RunUntil([&stopped] { return stopped; }, options.interval);
  }
  signals.cancel();
  return state.last() ? state.last()->verdict() : Verdict::kUnknown;
}

}  // namespace squall::doctor
