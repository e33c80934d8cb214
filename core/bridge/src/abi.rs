//! The types that cross the ABI and how panics and errors become statuses.

use std::any::Any;
use std::cell::RefCell;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::time::Duration;

use temporalio_client::errors::ClientConnectError;
use tonic::{Code, Status};

/// Code of a poll that ends because the worker is shut down: not an error, and no gRPC code.
pub const SQUALL_CODE_SHUTDOWN: i32 = 100;
/// "None" for durations in nanoseconds; read by C only.
#[allow(dead_code)]
pub const SQUALL_NONE: i64 = -1;

/// Borrowed bytes or UTF-8 text. `data` may be NULL when `size` is 0.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SquallSlice {
    pub data: *const u8,
    pub size: usize,
}

/// A borrowed name and value. Values of names that end in "-bin" are raw bytes, others are text.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SquallPair {
    pub key: SquallSlice,
    pub value: SquallSlice,
}

/// How something ended. `code` is 0 for success, else gRPC's number or SQUALL_CODE_SHUTDOWN.
#[repr(C)]
pub struct SquallStatus {
    pub code: i32,
    /// What SDKs print.
    pub message: SquallSlice,
    /// A serialized google.rpc.Status, or empty.
    pub details: SquallSlice,
    /// The whole error with its chain of causes, as Rust's Debug prints it, or empty.
    pub debug: SquallSlice,
}

/// Called once when an operation ends; `value` is empty unless `status->code` is 0.
pub type SquallDone = unsafe extern "C" fn(user_data: *mut c_void, status: *const SquallStatus, value: SquallSlice);

/// Receives text or bytes during a call.
pub type SquallSink = unsafe extern "C" fn(user_data: *mut c_void, value: SquallSlice);

/// An error returned by a synchronous call.
pub struct SquallError(Failure);

impl SquallSlice {
    pub const EMPTY: SquallSlice = SquallSlice { data: std::ptr::null(), size: 0 };

    pub fn of(bytes: &[u8]) -> Self {
        SquallSlice { data: bytes.as_ptr(), size: bytes.len() }
    }

    /// # Safety
    /// The memory must be readable for `'a`.
    pub unsafe fn bytes<'a>(self) -> &'a [u8] {
        if self.size == 0 || self.data.is_null() {
            &[]
        } else {
            unsafe { std::slice::from_raw_parts(self.data, self.size) }
        }
    }

    /// # Safety
    /// As `bytes`.
    pub unsafe fn text(self, what: &str) -> Result<String, Failure> {
        match std::str::from_utf8(unsafe { self.bytes() }) {
            Ok(text) => Ok(text.to_owned()),
            Err(error) => Err(Failure::invalid(format!("{what} is not UTF-8: {error}"))),
        }
    }
}

/// # Safety
/// `pairs` must point to `count` readable pairs (it may be NULL when `count` is 0).
pub unsafe fn pairs<'a>(pairs: *const SquallPair, count: usize) -> &'a [SquallPair] {
    if count == 0 || pairs.is_null() { &[] } else { unsafe { std::slice::from_raw_parts(pairs, count) } }
}

/// A non-negative number of nanoseconds; SQUALL_NONE and anything below zero is none.
pub fn duration(nanoseconds: i64) -> Option<Duration> {
    u64::try_from(nanoseconds).ok().map(Duration::from_nanos)
}

/// Why something failed, in the ABI's terms.
#[derive(Debug, Clone)]
pub struct Failure {
    pub code: i32,
    pub message: String,
    pub details: Vec<u8>,
    pub debug: String,
}

impl Failure {
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Failure { code: code as i32, message: message.into(), details: vec![], debug: String::new() }
    }
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidArgument, message)
    }
    pub fn cancelled(message: impl Into<String>) -> Self {
        Self::new(Code::Cancelled, message)
    }
    pub fn shutdown() -> Self {
        Failure { code: SQUALL_CODE_SHUTDOWN, ..Self::cancelled("worker is shut down") }
    }
    /// A gRPC status under the text of the error that carries it.
    pub fn with_status(message: String, status: &Status) -> Self {
        Failure { message, ..Self::from(status) }
    }

    pub fn view(&self) -> SquallStatus {
        SquallStatus {
            code: self.code,
            message: SquallSlice::of(self.message.as_bytes()),
            details: SquallSlice::of(&self.details),
            debug: SquallSlice::of(self.debug.as_bytes()),
        }
    }

    fn from_panic(payload: Box<dyn Any + Send>) -> Self {
        let text = panic_text(payload.as_ref());
        // The hook saw the place as well, unless the panic was passed on from another thread.
        let last = LAST_PANIC.with(|last| last.borrow_mut().take()).filter(|last| last.starts_with(&text));
        Self::new(Code::Internal, format!("panic: {}", last.unwrap_or(text)))
    }
}

impl From<&Status> for Failure {
    fn from(status: &Status) -> Self {
        Failure {
            code: status.code() as i32,
            message: status.message().to_owned(),
            details: status.details().to_vec(),
            debug: format!("{status:?}"),
        }
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self::from(&status)
    }
}

impl From<ClientConnectError> for Failure {
    fn from(error: ClientConnectError) -> Self {
        // SDKs print the Display text; its Debug parts already hold the chain of causes.
        let message = error.to_string();
        match &error {
            ClientConnectError::SystemInfoCallError(status) => Self::with_status(message, status),
            ClientConnectError::TonicTransportError(_) | ClientConnectError::DnsResolutionError { .. } => {
                Failure { debug: format!("{error:?}"), ..Self::new(Code::Unavailable, message) }
            }
            _ => Failure { debug: format!("{error:?}"), ..Self::invalid(message) },
        }
    }
}

pub fn ok_status() -> SquallStatus {
    SquallStatus { code: 0, message: SquallSlice::EMPTY, details: SquallSlice::EMPTY, debug: SquallSlice::EMPTY }
}

pub fn boxed_error(result: Result<(), Failure>) -> *mut SquallError {
    match result {
        Ok(()) => std::ptr::null_mut(),
        Err(failure) => Box::into_raw(Box::new(SquallError(failure))),
    }
}

thread_local! {
    static LAST_PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

fn panic_text(payload: &(dyn Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a payload that is no text".to_owned())
}

/// Keeps the text and place of a panic for the error that it becomes; also shown to `also` (core's own tasks panic where
/// nobody asks for the result). The hook that was there before still runs, so stderr has it as well.
pub fn install_panic_hook(also: fn(&str)) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let text = panic_text(info.payload());
            let place = info.location().map(|at| format!(" at {}:{}", at.file(), at.line())).unwrap_or_default();
            let whole = format!("{text}{place}");
            also(&whole);
            let _ = LAST_PANIC.try_with(|last| *last.borrow_mut() = Some(whole));
            previous(info);
        }));
    });
}

/// Runs `body`; a panic becomes a Failure.
pub fn contain<T>(body: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(result) => result,
        Err(payload) => Err(Failure::from_panic(payload)),
    }
}

/// The Failure for what a future's `catch_unwind` caught.
pub fn panic_failure(payload: Box<dyn Any + Send>) -> Failure {
    Failure::from_panic(payload)
}

/// The contents of an error; valid as long as the error.
///
/// # Safety
/// `error` must come from this library and not be freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn squall_error_view(error: *const SquallError) -> SquallStatus {
    match unsafe { error.as_ref() } {
        Some(error) => error.0.view(),
        None => ok_status(),
    }
}

/// # Safety
/// `error_owned` must come from this library and not have been freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn squall_error_free(error_owned: *mut SquallError) {
    if !error_owned.is_null() {
        drop(unsafe { Box::from_raw(error_owned) });
    }
}

/// The version of temporalio-sdk-core that this library is built from.
#[unsafe(no_mangle)]
pub extern "C" fn squall_core_version() -> SquallSlice {
    SquallSlice::of(env!("SQUALL_CORE_VERSION").as_bytes())
}
