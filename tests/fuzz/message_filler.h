#pragma once
// Messages of Temporal's API from a fuzzer's bytes: typed as the protos say, with values that mean
// something to the server more often than not.

#include <google/protobuf/message.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tests/fuzz/byte_source.h"

namespace squall::fuzz {

// What the server has handed out so far, by the names of its fields: run_id, task_token, ...
class Seen {
 public:
  // Keeps the latest of each name.
  void Learn(const google::protobuf::Message& answer);
  // One of them; empty when there is none.
  std::string Pick(const std::string& field, ByteSource& source) const;

 private:
  std::map<std::string, std::vector<std::string>> values_;
};

// Fills some of the fields; bytes that are used up leave the rest as it is.
void Fill(google::protobuf::Message& message, const Seen& seen, ByteSource& source);

}  // namespace squall::fuzz
