//! Temporal's production SDK core behind a C ABI, for squall's C++ side (`core/*.h`).
//!
//! Rules of the ABI, for both sides:
//!
//! * **Ownership is in the names.** A pointer parameter that ends in `_owned` passes ownership; every other pointer, and
//!   every `SquallSlice`, is borrowed for the duration of the call or callback. Handles are freed with the function
//!   of their name, exactly once; freeing NULL is allowed.
//! * **Asynchronous calls** take a callback and `user_data`, return an operation id, and call back exactly once: with
//!   the result, with CANCELLED after `squall_runtime_cancel`, when the handle they belong to is freed, or when the
//!   runtime is freed. Callbacks come on core's threads (or, for the cancellations, on the calling thread before the
//!   call returns); they must be quick and must not free a runtime. On a freed runtime an operation is cancelled at once,
//!   and its id is 0.
//! * **After `squall_runtime_free` has returned nothing calls back**, whatever core is doing.
//! * **No panic crosses**: it becomes an error with code INTERNAL and the panic's text and place.
//! * Protobuf messages cross as bytes; codes are gRPC's; texts are core's own, unshortened.
//! * Handles may be used from any thread, also at once, but not during or after their own `_free`.

mod abi;
mod connection;
mod metrics;
mod rpc;
mod rpc_table;
mod runtime;
mod testing;
mod worker;
