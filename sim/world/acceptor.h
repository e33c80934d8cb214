#pragma once
// What links lead to: a server or an ingress.

#include <memory>
#include <string>

#include "sim/net/stream.h"

namespace squall::sim {

class Acceptor {
 public:
  virtual ~Acceptor() = default;
  virtual bool running() const = 0;
  // A connection was accepted for it, by the link (or door) of this name; it must be running.
  virtual void Accept(const std::shared_ptr<Stream>& stream, const std::string& peer,
                      const std::string& link) = 0;
};

}  // namespace squall::sim
