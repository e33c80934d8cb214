#pragma once
// What a script of misbehaviour has to know of Temporal's messages, for all who obey one.

#include "base/wire/misbehaviour_script.h"

namespace squall::fakes {

wire::MessageTools TemporalMessageTools();

}  // namespace squall::fakes
