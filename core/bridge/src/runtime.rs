//! The runtime: tokio's threads, core's telemetry, and the bookkeeping of every operation that will call back.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ffi::c_void;
use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::FutureExt;
use temporalio_common::telemetry::{
    CoreLog, CoreLogConsumer, Logger, TelemetryOptions, remove_trace_subscriber_for_current_thread,
    set_trace_subscriber_for_current_thread, telemetry_init,
};
use temporalio_sdk_core::{CoreRuntime, RuntimeOptions};
use tokio::task::AbortHandle;
use tonic::Code;

use crate::abi::*;
use crate::connection::SquallConnection;
use crate::metrics::TextMeter;

/// One log line; borrowed during the callback.
#[repr(C)]
pub struct SquallLog {
    /// 0 trace, 1 debug, 2 info, 3 warn, 4 error.
    pub level: u8,
    pub target: SquallSlice,
    pub message: SquallSlice,
    /// "key=value key=value", sorted by key, values as JSON.
    pub fields: SquallSlice,
    pub unix_seconds: i64,
    pub nanoseconds: u32,
}

pub type SquallOnLog = Option<unsafe extern "C" fn(user_data: *mut c_void, log: *const SquallLog)>;

/// Called once when a connection attempt ends: with a connection, or with NULL and why.
pub type SquallConnectDone = unsafe extern "C" fn(
    user_data: *mut c_void,
    status: *const SquallStatus,
    connection_owned: *mut SquallConnection,
);

#[repr(C)]
pub struct SquallRuntimeOptions {
    /// EnvFilter syntax.
    pub log_filter: SquallSlice,
    /// NULL: no logs. Called on any thread, concurrently, until squall_runtime_free.
    pub on_log: SquallOnLog,
    /// Not owned; must stay valid until squall_runtime_free has returned.
    pub log_user_data: *mut c_void,
    /// SQUALL_NONE: workers send no heartbeats.
    pub heartbeat_interval_ns: i64,
    /// 0: one per CPU.
    pub worker_threads: u32,
    pub metrics: bool,
}

/// An opaque runtime.
pub struct SquallRuntime {
    pub(crate) shared: Arc<Shared>,
    tokio: tokio::runtime::Runtime,
}

thread_local! {
    /// How many callbacks into C are on this thread's stack.
    static IN_CALLBACK: Cell<u32> = const { Cell::new(0) };
    /// The runtime whose thread this is.
    static THREAD_OF: RefCell<Weak<Gate>> = const { RefCell::new(Weak::new()) };
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What every callback passes through; closing it waits for those that run.
pub(crate) struct Gate {
    open: RwLock<bool>,
    on_log: SquallOnLog,
    log_user_data: usize,
}

impl Gate {
    /// Runs `callback` unless the gate is closed. Nested calls (a callback that logs) do not lock again.
    pub fn pass(&self, callback: impl FnOnce()) {
        struct Leave;
        impl Drop for Leave {
            fn drop(&mut self) {
                IN_CALLBACK.with(|depth| depth.set(depth.get() - 1));
            }
        }
        let nested = IN_CALLBACK.with(|depth| depth.get() > 0);
        let open = (!nested).then(|| self.open.read().unwrap_or_else(PoisonError::into_inner));
        if open.as_ref().is_none_or(|open| **open) {
            IN_CALLBACK.with(|depth| depth.set(depth.get() + 1));
            let _leave = Leave;
            callback();
        }
    }

    fn close(&self) {
        *self.open.write().unwrap_or_else(PoisonError::into_inner) = false;
    }

    pub fn log(&self, level: u8, target: &str, message: &str, fields: &str, time: SystemTime) {
        let Some(on_log) = self.on_log else { return };
        let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let log = SquallLog {
            level,
            target: SquallSlice::of(target.as_bytes()),
            message: SquallSlice::of(message.as_bytes()),
            fields: SquallSlice::of(fields.as_bytes()),
            unix_seconds: since.as_secs() as i64,
            nanoseconds: since.subsec_nanos(),
        };
        self.pass(|| unsafe { on_log(self.log_user_data as *mut c_void, &log) });
    }
}

struct LogSink(Arc<Gate>);

impl fmt::Debug for LogSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogSink")
    }
}

impl CoreLogConsumer for LogSink {
    fn on_log(&self, log: CoreLog) {
        let level = match log.level.as_str() {
            "TRACE" => 0,
            "DEBUG" => 1,
            "INFO" => 2,
            "WARN" => 3,
            _ => 4,
        };
        let sorted: BTreeMap<_, _> = log.fields.iter().collect();
        let fields: Vec<String> = sorted.iter().map(|(key, value)| format!("{key}={value}")).collect();
        self.0.log(level, &log.target, &log.message, &fields.join(" "), log.timestamp);
    }
}

/// A panic in one of core's own tasks ends that task in silence; the log must have it.
fn log_panic(text: &str) {
    let gate = THREAD_OF.try_with(|gate| gate.try_borrow().ok().and_then(|gate| gate.upgrade()));
    if let Ok(Some(gate)) = gate {
        gate.log(4, "squall_bridge", &format!("panic: {text}"), "", SystemTime::now());
    }
}

pub(crate) enum Completion {
    Done(SquallDone),
    Connect(SquallConnectDone),
}

pub(crate) enum Output {
    Bytes(Vec<u8>),
    Connection(Box<SquallConnection>),
}

struct Operation {
    completion: Completion,
    user_data: usize,
    owner: u64,
    abort: Option<AbortHandle>,
}

impl Operation {
    fn fire(self, result: Result<Output, Failure>) {
        let user_data = self.user_data as *mut c_void;
        let status = match &result {
            Ok(_) => ok_status(),
            Err(failure) => failure.view(),
        };
        match self.completion {
            Completion::Done(done) => {
                let value = match &result {
                    Ok(Output::Bytes(bytes)) => SquallSlice::of(bytes),
                    _ => SquallSlice::EMPTY,
                };
                unsafe { done(user_data, &status, value) };
            }
            Completion::Connect(done) => {
                let connection = match result {
                    Ok(Output::Connection(connection)) => Box::into_raw(connection),
                    // `status` refers to the failure, which must outlive the call.
                    failed => {
                        unsafe { done(user_data, &status, std::ptr::null_mut()) };
                        drop(failed);
                        return;
                    }
                };
                unsafe { done(user_data, &status, connection) };
            }
        }
    }
}

/// Releases what a handler's `user_data` refers to.
pub type SquallRelease = Option<unsafe extern "C" fn(user_data: *mut c_void)>;

fn release_now(release: SquallRelease, user_data: usize) {
    if let Some(release) = release {
        unsafe { release(user_data as *mut c_void) };
    }
}

#[derive(Default)]
struct Table {
    closed: bool,
    operations: BTreeMap<u64, Operation>,
    releases: BTreeMap<u64, (SquallRelease, usize)>,
}

/// What handles keep: it outlives the tokio runtime, whose threads may be gone.
pub(crate) struct Shared {
    pub gate: Arc<Gate>,
    table: Mutex<Table>,
    next: AtomicU64,
    pub handle: tokio::runtime::Handle,
    core: OnceLock<CoreRuntime>,
    meter: Option<Arc<TextMeter>>,
}

impl Shared {
    pub fn core(&self) -> &CoreRuntime {
        self.core.get().expect("set when the runtime was made")
    }

    pub fn new_id(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Runs `body` on the calling thread as core's threads run: inside tokio, with logs captured.
    pub fn enter<T>(&self, body: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
        let _tokio = self.handle.enter();
        let of_core = THREAD_OF.with(|gate| gate.borrow().strong_count() > 0);
        struct Unset(bool);
        impl Drop for Unset {
            fn drop(&mut self) {
                if self.0 {
                    remove_trace_subscriber_for_current_thread();
                }
            }
        }
        if !of_core && let Some(subscriber) = self.core().telemetry().trace_subscriber() {
            set_trace_subscriber_for_current_thread(subscriber);
        }
        let _unset = Unset(!of_core);
        contain(body)
    }

    /// Starts `future`; `completion` is called once. `owner` groups operations for `cancel_owner`.
    pub fn start<F>(self: &Arc<Self>, owner: u64, completion: Completion, user_data: *mut c_void, future: F) -> u64
    where
        F: Future<Output = Result<Output, Failure>> + Send + 'static,
    {
        let id = self.new_id();
        let operation = Operation { completion, user_data: user_data as usize, owner, abort: None };
        {
            let mut table = lock(&self.table);
            if table.closed {
                drop(table);
                operation.fire(Err(Failure::cancelled("the runtime is shut down")));
                return 0;
            }
            table.operations.insert(id, operation);
        }
        let shared = self.clone();
        let task = self.handle.spawn(async move {
            let result = match AssertUnwindSafe(future).catch_unwind().await {
                Ok(result) => result,
                Err(payload) => Err(panic_failure(payload)),
            };
            shared.finish(id, result);
        });
        if let Some(operation) = lock(&self.table).operations.get_mut(&id) {
            operation.abort = Some(task.abort_handle());
        }
        id
    }

    fn finish(&self, id: u64, result: Result<Output, Failure>) {
        self.gate.pass(|| {
            // Taken out under the gate: once it is closed the table is drained by whoever closed it.
            let operation = lock(&self.table).operations.remove(&id);
            if let Some(operation) = operation {
                operation.fire(result);
            }
        });
    }

    fn cancel_where(&self, why: &str, which: impl Fn(u64, &Operation) -> bool) {
        let taken: Vec<Operation> = {
            let mut table = lock(&self.table);
            let ids: Vec<u64> =
                table.operations.iter().filter(|(id, operation)| which(**id, operation)).map(|(id, _)| *id).collect();
            ids.iter().filter_map(|id| table.operations.remove(id)).collect()
        };
        for operation in taken {
            if let Some(abort) = &operation.abort {
                abort.abort();
            }
            operation.fire(Err(Failure::cancelled(why)));
        }
    }

    pub fn cancel_owner(&self, owner: u64, why: &str) {
        self.cancel_where(why, |_, operation| operation.owner == owner);
    }

    /// Remembers to release `user_data` when `released(id)` says so, or when the runtime goes, whichever is first.
    pub fn register_release(&self, release: SquallRelease, user_data: *mut c_void) -> u64 {
        let id = self.new_id();
        let mut table = lock(&self.table);
        if table.closed {
            drop(table);
            release_now(release, user_data as usize);
        } else {
            table.releases.insert(id, (release, user_data as usize));
        }
        id
    }

    pub fn released(&self, id: u64) {
        self.gate.pass(|| {
            let entry = lock(&self.table).releases.remove(&id);
            if let Some((release, user_data)) = entry {
                release_now(release, user_data);
            }
        });
    }

    fn close(&self) {
        self.gate.close();
        lock(&self.table).closed = true;
        self.cancel_where("the runtime is shut down", |_, _| true);
        let releases = std::mem::take(&mut lock(&self.table).releases);
        for (release, user_data) in releases.into_values() {
            release_now(release, user_data);
        }
    }
}

fn new_runtime(options: &SquallRuntimeOptions) -> Result<SquallRuntime, Failure> {
    install_panic_hook(log_panic);
    let gate = Arc::new(Gate {
        open: RwLock::new(true),
        on_log: options.on_log,
        log_user_data: options.log_user_data as usize,
    });
    let logging = match options.on_log {
        Some(_) => Some(Logger::Push {
            filter: unsafe { options.log_filter.text("log_filter")? },
            consumer: Arc::new(LogSink(gate.clone())),
        }),
        None => None,
    };
    let heartbeat_interval = duration(options.heartbeat_interval_ns);
    // Only for its validation: what it would build cannot be given a tokio runtime of ours.
    RuntimeOptions::builder().heartbeat_interval(heartbeat_interval).build().map_err(Failure::invalid)?;

    let meter = options.metrics.then(|| Arc::new(TextMeter::default()));
    let telemetry = telemetry_init(
        TelemetryOptions::builder()
            .maybe_logging(logging)
            .maybe_metrics(
                meter.clone().map(|meter| meter as Arc<dyn temporalio_common::telemetry::metrics::CoreMeter>),
            )
            .build(),
    )
    .map_err(|error| Failure::new(Code::Internal, format!("telemetry: {error:#}")))?;

    let subscriber = telemetry.trace_subscriber();
    let thread_gate = gate.clone();
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if options.worker_threads > 0 {
        builder.worker_threads(options.worker_threads as usize);
    }
    let tokio = builder
        .enable_all()
        .thread_name("squall-core")
        .on_thread_start(move || {
            THREAD_OF.with(|gate| *gate.borrow_mut() = Arc::downgrade(&thread_gate));
            if let Some(subscriber) = &subscriber {
                set_trace_subscriber_for_current_thread(subscriber.clone());
            }
        })
        .build()
        .map_err(|error| Failure::new(Code::Internal, format!("tokio: {error}")))?;

    let shared = Arc::new(Shared {
        gate,
        table: Mutex::default(),
        next: AtomicU64::new(1),
        handle: tokio.handle().clone(),
        core: OnceLock::new(),
        meter,
    });
    {
        let _tokio = tokio.enter();
        let core = CoreRuntime::new_assume_tokio_initialized_telem(telemetry, heartbeat_interval);
        // It attaches its subscriber to the calling thread, which is not core's to keep.
        remove_trace_subscriber_for_current_thread();
        let _ = shared.core.set(core);
    }
    Ok(SquallRuntime { shared, tokio })
}

/// Makes a runtime. On failure returns an error to be freed and sets `*runtime_owned` to NULL.
///
/// # Safety
/// `options` and `runtime_owned` must be valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn squall_runtime_new(
    options: *const SquallRuntimeOptions,
    runtime_owned: *mut *mut SquallRuntime,
) -> *mut SquallError {
    boxed_error(contain(|| {
        unsafe { *runtime_owned = std::ptr::null_mut() };
        let runtime = new_runtime(unsafe { &*options })?;
        unsafe { *runtime_owned = Box::into_raw(Box::new(runtime)) };
        Ok(())
    }))
}

/// Ends a runtime: no callback starts any more, those that run are waited for, pending operations are cancelled (their
/// callbacks are called on this thread, before this returns), then tokio gets at most `limit_ns` to stop; threads that
/// are stuck longer are left behind. Handles made in it stay valid, for freeing. Called on one of its own threads, or inside
/// a callback (both are mistakes), it hands the work to a new thread instead of deadlocking.
///
/// # Safety
/// `runtime_owned` must come from squall_runtime_new and not have been freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn squall_runtime_free(runtime_owned: *mut SquallRuntime, limit_ns: i64) {
    if runtime_owned.is_null() {
        return;
    }
    let runtime = unsafe { Box::from_raw(runtime_owned) };
    let limit = duration(limit_ns).unwrap_or(Duration::ZERO);
    let end = move || {
        let _ = contain(|| {
            runtime.shared.close();
            let SquallRuntime { shared, tokio } = *runtime;
            tokio.shutdown_timeout(limit);
            drop(shared);
            Ok(())
        });
    };
    let misplaced = IN_CALLBACK.with(|depth| depth.get() > 0) || tokio::runtime::Handle::try_current().is_ok();
    if misplaced {
        std::thread::spawn(end);
    } else {
        end();
    }
}

/// Cancels one operation: its callback is called with CANCELLED before this returns, unless it was already called.
///
/// # Safety
/// `runtime` must be valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn squall_runtime_cancel(runtime: *const SquallRuntime, operation: u64) {
    let _ = contain(|| {
        let shared = &unsafe { &*runtime }.shared;
        shared.cancel_where("the call was cancelled", |id, _| id == operation);
        Ok(())
    });
}

/// Gives all metrics to `sink`, in Prometheus' text format, sorted; empty when they are off.
///
/// # Safety
/// `runtime` must be valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn squall_runtime_metrics(
    runtime: *const SquallRuntime,
    sink: SquallSink,
    user_data: *mut c_void,
) {
    let _ = contain(|| {
        let text = unsafe { &*runtime }.shared.meter.as_ref().map(|meter| meter.text()).unwrap_or_default();
        unsafe { sink(user_data, SquallSlice::of(text.as_bytes())) };
        Ok(())
    });
}
