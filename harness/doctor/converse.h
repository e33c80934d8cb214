#pragma once
// HTTP/2 and gRPC: what answers, and whether it is Temporal's frontend.

#include <memory>
#include <optional>
#include <string>

#include "harness/doctor/probe.h"
#include "harness/doctor/rpc.h"

namespace squall::doctor {

struct CallJudgement {
  std::string cause, evidence;
  Layer layer = Layer::kGrpc;
};
// Why a call was not answered as it should be; nullopt for OK, and for codes that say nothing about
// the way there (NOT_FOUND, INVALID_ARGUMENT, ...).
std::optional<CallJudgement> JudgeCall(const Probe& probe, const Call& call);

// What the server lacks of what the SDK looks for: a row and a notice for each.
void TellRemarks(const Probe& probe, const std::vector<SdkRemark>& remarks, Layer layer);

// A connection on which Temporal's frontend has answered GetSystemInfo; null when there is none,
// which is then told. `channel`: with TLS as the target wants, as Handshake gave it; null in
// plaintext.
std::unique_ptr<Rpc> Converse(const Probe& probe, const Endpoint& endpoint,
                              std::unique_ptr<Channel> channel);

}  // namespace squall::doctor
