#pragma once
// What links lead to: a server or an ingress.

#include <cstddef>
#include <memory>
#include <string>

#include "sim/net/stream.h"

namespace squall::sim {

class Acceptor {
 public:
  virtual ~Acceptor() = default;
  virtual bool running() const = 0;
  // Of several front ends one may be away; there is at least one.
  virtual std::size_t fronts() const { return 1; }
  virtual bool Takes(std::size_t) const { return running(); }
  // A connection was accepted for it, by the link (or door) of this name, at this front end, which
  // takes connections.
  virtual void Accept(const std::shared_ptr<Stream>& stream, const std::string& peer,
                      const std::string& link, std::size_t front) = 0;
};

}  // namespace squall::sim
