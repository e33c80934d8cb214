#include "scenarios/format/fault_page.h"

#include <fmt/format.h>

#include "base/util/text.h"
#include "scenarios/format/object_reader.h"

namespace squall::scenarios {
namespace {

constexpr const char* kHead = R"(# Faults

Every fault that squall can inject. A scenario injects them with an `inject` step ([scenarios.md](scenarios.md)); from C++ it is
`harness/fault`. `squall list --faults` says of each whether it can be had on this machine, and
`squall list --example link/stall` prints the whole scenario that stands behind the line called *Example* here, to be run as it is:

    squall list --example link/stall > stall.yaml && squall run ./stall.yaml

- **Available or not.** What a fault needs stands below. Where it is missing, a scenario that uses the fault is skipped with the
  reason. Nothing is ever injected into a server that was given by its address: put a link in front of it.
- **Healed** means that healing takes the fault away and its effect with it; **restart**, that the injection is over at once and
  healing starts again what it stopped; **one-shot**, that nothing is left to heal. Every fault is healed before it is judged what
  must hold in the end, and when squall is asked to stop. A fault that cannot be healed makes the verdict unknown.
- **Evidence.** The journal has `fault` events `injecting`, `injected`, `hit`, `healing`, `healed` (or `failed`) for each. `hit` is
  written by what meets the fault; without one the oracle `fault_hit` makes the verdict unknown.
- **In the kernel, or in DNS.** Such faults act in namespaces that squall makes around the subject: nothing of it is seen outside,
  and nothing of it outlives the subject's processes, however they end. For `kernel_address_change` and `kernel_link_down` the link's
  workers live at the far end of a wire (veth); for `dns_*` all of the subject has a resolv.conf of its own, and workers are given
  the link's name in place of its address. The harness's own clients go around both.

This page is made from the catalogue (`scenarios/format/faults_*.cc`); a test keeps it so.
)";

constexpr const char* kServerTopology = R"(topology:
  servers: {temporal: {}}
  workers: {w: {}}
  clients: {quick: {connect: temporal, timeout: 1s}}
)";
constexpr const char* kServerDuring =
    "start_workflow: {workflow: Ping, id: meanwhile, client: quick, may_be_refused: true}";

constexpr const char* kLinkTopology = R"(topology:
  servers: {temporal: {}}
  links: {wire: temporal}
  workers: {w: {restart: {on_exit: [100ms]}}}
)";
constexpr const char* kLinkDuring = "start_workflow: {workflow: Ping, id: meanwhile, input: 1}";

constexpr const char* kSteps = R"(steps:
  - wait_healthy: w
  - {inject}
  - {during}
  - for: 500ms
  - heal: all
{afterwards}  - run: {{workflow: Ping, id: after, input: 1, result: 1}}
expect:
  - workflow_completed: {{workflow: after, result: 1}}
)";

std::string InjectLine(const FaultDefinition& fault) {
  const char* on = fault.target == FaultTarget::kLink     ? "wire"
                   : fault.target == FaultTarget::kServer ? "temporal"
                                                          : "w";
  return fmt::format("inject: {{fault: {}, on: {}{}{}}}", fault.name, on,
                     fault.example.empty() ? "" : ", ", fault.example);
}

// Long lists of words are told as such: the statuses of gRPC are known.
std::string TypeCell(const ParamSpec& spec) {
  constexpr std::size_t kWordsMax = 8;
  if (spec.type == ParamType::kWord && spec.words.size() > kWordsMax)
    return fmt::format("{}, {} ... {}", spec.words[0], spec.words[1], spec.words.back());
  return MarkdownCell(DescribeType(spec));
}

std::string Section(const FaultDefinition& fault) {
  std::string out = fmt::format("\n### `{}` into a {}\n\n{}\n", fault.name,
                                FaultTargetName(fault.target), fault.doc);
  if (!fault.params.empty()) {
    out += "\n| parameter | value | default | meaning |\n|---|---|---|---|\n";
    for (const ParamSpec& spec : fault.params) {
      out += fmt::format("| `{}` | {} | {} | {} |\n", spec.name, TypeCell(spec),
                         spec.required               ? "required"
                         : spec.default_text.empty() ? ""
                                                     : "`" + spec.default_text + "`",
                         MarkdownCell(spec.doc));
    }
  }
  out += fmt::format("\n- {}: {}\n", HealingName(fault.healing), fault.restored_by);
  out += fmt::format("- `hit`: {}.\n", fault.evidence == FaultEvidence::kTraffic
                                           ? "by the first traffic that meets it"
                                           : "by the injection, which acts at once");
  for (const FaultNeed need : fault.needs) out += fmt::format("- Needs {}.\n", FaultNeedText(need));
  out += fmt::format("- Example (`squall list --example {}`): `{}`\n", FaultKey(fault),
                     InjectLine(fault));
  return out;
}

}  // namespace

std::string FaultKey(const FaultDefinition& fault) {
  return fmt::format("{}/{}", FaultTargetName(fault.target), fault.name);
}

std::string FaultExample(const FaultDefinition& fault) {
  const bool server = fault.target == FaultTarget::kServer;
  const std::string afterwards =
      fault.afterwards.empty() ? "" : fmt::format("  - {}\n", fault.afterwards);
  const std::string during =
      fault.during.empty() ? server ? kServerDuring : kLinkDuring : fault.during;
  std::string out = fmt::format("# {}\n# {}\nid: fault-{}-{}\ntitle: {} into a {}\ntags: [fault]\n",
                                fault.doc, fault.restored_by, FaultTargetName(fault.target),
                                fault.name, fault.name, FaultTargetName(fault.target));
  return out + (server ? kServerTopology : kLinkTopology) +
         fmt::format(kSteps, fmt::arg("inject", InjectLine(fault)), fmt::arg("during", during),
                     fmt::arg("afterwards", afterwards));
}

std::string FaultsPage() {
  std::string page(kHead);
  page += "\n| fault | into a | what it does |\n|---|---|---|\n";
  for (const FaultDefinition& fault : FaultCatalogue()) {
    page += fmt::format("| [`{0}`](#{0}-into-a-{1}) | {1} | {2} |\n", fault.name,
                        FaultTargetName(fault.target), MarkdownCell(fault.doc));
  }
  FaultTarget last = FaultTarget::kWorker;
  for (const FaultDefinition& fault : FaultCatalogue()) {
    if (&fault == &FaultCatalogue().front() || fault.target != last) {
      page += fmt::format("\n## Faults of {}s\n", FaultTargetName(fault.target));
      last = fault.target;
    }
    page += Section(fault);
  }
  return page;
}

}  // namespace squall::scenarios
