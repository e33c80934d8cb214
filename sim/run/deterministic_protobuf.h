#pragma once
// protobuf's maps iterate in an order drawn from addresses and the cycle counter; serialized, they
// are sorted from then on.

namespace squall::sim {

void SerializeMapsInOrder();

}  // namespace squall::sim
