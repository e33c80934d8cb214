//! Entry points for the unit tests of the ABI's promises. Nothing else calls them.

use std::ffi::c_void;
use std::time::Duration;

use crate::abi::*;
use crate::runtime::{Completion, Output, SquallRuntime};

/// Panics inside a synchronous call.
#[unsafe(no_mangle)]
pub extern "C" fn squall_test_panic() -> *mut SquallError {
    boxed_error(contain(|| panic!("a panic on purpose")))
}

/// Panics inside an operation.
///
/// # Safety
/// `runtime` must be valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn squall_test_panic_later(
    runtime: *const SquallRuntime,
    done: SquallDone,
    user_data: *mut c_void,
) -> u64 {
    unsafe { &*runtime }.shared.start(0, Completion::Done(done), user_data, async move {
        tokio::task::yield_now().await;
        panic!("a panic on purpose, later")
    })
}

/// Occupies one of tokio's threads for `nanoseconds`, once it has logged "hanging": a core that hangs.
///
/// # Safety
/// `runtime` must be valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn squall_test_hang(
    runtime: *const SquallRuntime,
    nanoseconds: i64,
    done: SquallDone,
    user_data: *mut c_void,
) -> u64 {
    let shared = unsafe { &*runtime }.shared.clone();
    let gate = shared.gate.clone();
    shared.start(0, Completion::Done(done), user_data, async move {
        gate.log(2, "squall_bridge", "hanging", "", std::time::SystemTime::now());
        // Nobody unparks it.
        std::thread::park_timeout(duration(nanoseconds).unwrap_or(Duration::ZERO));
        Ok(Output::Bytes(vec![]))
    })
}
