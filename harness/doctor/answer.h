#pragma once
// What speaks, by the first bytes that it said: for peers that are not what was expected.

#include <string>
#include <string_view>

namespace squall::doctor {

enum class Speech {
  kNothing,
  kHttp2,  // a SETTINGS frame
  kTls,    // a TLS record: an alert, mostly
  kHttp1,  // "HTTP/1.1 400 Bad Request"
  kOther,  // a protocol with a name: SSH, Redis
  kUnknown,
};

struct Answer {
  Speech speech = Speech::kNothing;
  std::string name;     // "HTTP/1.1", "SSH", "Redis"
  int status = 0;       // of HTTP/1
  std::string server;   // its Server field
  std::string title;    // of an HTML page
  std::string excerpt;  // the first line, fit for a terminal
};

Answer ReadAnswer(std::string_view bytes);
// An answer of HTTP/1 that shows Temporal's web interface or its HTTP API.
bool SpeaksOfTemporal(std::string_view bytes);

}  // namespace squall::doctor
