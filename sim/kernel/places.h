#pragma once
// Where things lie: in every run at the same addresses, whatever the machine's layout is.
//
// Some code lets addresses into what it does: parking_lot keeps the fairness of its locks in a
// table that is hashed by their addresses, hash maps may be seeded by theirs. From the beginning of
// the simulation on, the heap and the stacks of threads therefore come from places of their own
// (and the program is linked to a fixed address).

#include <cstddef>

namespace squall::sim {

// Reserves the places; from then on simulated threads allocate there.
void ReservePlaces();

// A stack for the next thread; slots come back with FreeStack, when the thread is gone for good.
struct Stack {
  void* base = nullptr;
  std::size_t size = 0;
  int slot = -1;
};
Stack NewStack(std::size_t size);
void FreeStack(int slot);

}  // namespace squall::sim
