#include "scenarios/engine/secrets.h"

namespace squall::scenarios {

std::vector<std::string> SecretsOf(const Topology& topology) {
  std::vector<std::string> secrets;
  for (const auto& worker : topology.workers) secrets.push_back(worker.connect.api_key);
  for (const auto& client : topology.clients) secrets.push_back(client.connect.api_key);
  for (const auto& server : topology.servers)
    secrets.insert(secrets.end(), server.api_keys.begin(), server.api_keys.end());
  std::erase(secrets, "");
  return secrets;
}

}  // namespace squall::scenarios
