#pragma once
// What scripts know of messages in the tests of base/wire: a request is the name of a task queue, an
// answer is a text that grows.

#include <string>
#include <string_view>

#include "base/wire/misbehaviour_script.h"

namespace squall::wire {

inline MessageTools TextTools() {
  MessageTools tools;
  tools.describe = [](CallFacts& facts, const std::string& request) { facts.task_queue = request; };
  tools.change = [](std::string_view, std::string_view, const std::string& answer,
                    const std::string& fields) {
    return StatusOr<std::string>(answer + "+" + fields);
  };
  tools.encode = [](std::string_view type, const std::string& fields) {
    return StatusOr<std::string>(std::string(type) + fields);
  };
  return tools;
}

}  // namespace squall::wire
