//! Workers: polling, completing, shutting down, and replaying histories.

use std::collections::HashSet;
use std::ffi::c_void;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::stream;
use prost::Message;
use temporalio_client::Connection;
use temporalio_common::protos::coresdk::workflow_completion::WorkflowActivationCompletion;
use temporalio_common::protos::coresdk::{ActivityHeartbeat, ActivityTaskCompletion};
use temporalio_common::protos::temporal::api::history::v1::{History, history_event};
use temporalio_common::worker::{
    VersioningBehavior, WorkerDeploymentOptions, WorkerDeploymentVersion, WorkerTaskTypes,
};
use temporalio_sdk_core::replay::{HistoryForReplay, HistoryInfo, ReplayWorkerInput};
use temporalio_sdk_core::{
    PollError, PollerBehavior, Worker, WorkerConfig, WorkerValidationError, WorkerVersioningStrategy,
    WorkflowErrorType, init_replay_worker, init_worker,
};
use tokio::sync::{Notify, mpsc};
use tonic::Code;

use crate::abi::*;
use crate::connection::SquallConnection;
use crate::runtime::{Completion, Output, Shared, SquallRuntime};

/// How long finalizing waits for the next operation that still holds the worker after its shutdown.
const FINALIZE_LIMIT: Duration = Duration::from_secs(1);

/// How many polls of one kind are open.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SquallPollers {
    /// 0 core's default, 1 fixed (`maximum`), 2 autoscaling.
    pub kind: u32,
    pub minimum: u32,
    pub maximum: u32,
    pub initial: u32,
}

#[repr(C)]
pub struct SquallWorkerOptions {
    pub temporal_namespace: SquallSlice,
    pub task_queue: SquallSlice,
    /// Empty: the connection's identity.
    pub identity: SquallSlice,
    pub workflows: bool,
    pub activities: bool,
    pub local_activities: bool,
    pub build_id: SquallSlice,
    /// 0 none (build_id only identifies), 1 legacy build id, 2 deployment.
    pub versioning: u32,
    pub deployment_name: SquallSlice,
    pub use_worker_versioning: bool,
    /// 0 none, 1 pinned, 2 auto upgrade.
    pub default_versioning_behavior: u32,
    pub max_cached_workflows: u32,
    pub max_outstanding_workflow_tasks: u32,
    pub max_outstanding_activities: u32,
    pub max_outstanding_local_activities: u32,
    pub workflow_pollers: SquallPollers,
    pub activity_pollers: SquallPollers,
    pub nonsticky_to_sticky_poll_ratio: f32,
    pub sticky_schedule_to_start_timeout_ns: i64,
    pub max_heartbeat_throttle_interval_ns: i64,
    pub default_heartbeat_throttle_interval_ns: i64,
    pub local_timeout_buffer_ns: i64,
    /// Negative: no limit. Zero is refused by core.
    pub max_activities_per_second: f64,
    /// Negative: no limit.
    pub max_task_queue_activities_per_second: f64,
    pub max_eager_activities_per_workflow_task: u32,
    /// SQUALL_NONE: activities are never asked to stop.
    pub graceful_shutdown_period_ns: i64,
    pub ignore_evictions_on_shutdown: bool,
    pub fail_workflow_on_nondeterminism: bool,
    pub allow_duplicate_worker: bool,
}

/// An opaque worker.
pub struct SquallWorker {
    shared: Arc<Shared>,
    owner: u64,
    /// None once squall_worker_finalize_shutdown was called.
    worker: Mutex<Option<Arc<Worker>>>,
    /// Told whenever an operation has let go of the worker.
    released: Arc<Notify>,
    histories: Mutex<Histories>,
    /// None for replay workers, and once it was called.
    unregister: Mutex<Option<Unregister>>,
}

type Unregister = Box<dyn FnOnce() + Send>;

enum Histories {
    NotReplay,
    Open(mpsc::UnboundedSender<HistoryForReplay>),
    Closed,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn pollers(given: &SquallPollers) -> Option<PollerBehavior> {
    match given.kind {
        1 => Some(PollerBehavior::SimpleMaximum(given.maximum as usize)),
        2 => Some(PollerBehavior::Autoscaling {
            minimum: given.minimum as usize,
            maximum: given.maximum as usize,
            initial: given.initial as usize,
        }),
        _ => None,
    }
}

unsafe fn versioning(given: &SquallWorkerOptions) -> Result<WorkerVersioningStrategy, Failure> {
    let build_id = unsafe { given.build_id.text("the build id")? };
    Ok(match given.versioning {
        1 => WorkerVersioningStrategy::LegacyBuildIdBased { build_id },
        2 => {
            let name = unsafe { given.deployment_name.text("the deployment's name")? };
            let version = WorkerDeploymentVersion::builder().deployment_name(name).build_id(build_id).build();
            WorkerVersioningStrategy::WorkerDeploymentBased(
                WorkerDeploymentOptions::new(version)
                    .use_worker_versioning(given.use_worker_versioning)
                    .maybe_default_versioning_behavior(match given.default_versioning_behavior {
                        1 => Some(VersioningBehavior::Pinned),
                        2 => Some(VersioningBehavior::AutoUpgrade),
                        _ => None,
                    })
                    .build(),
            )
        }
        _ => WorkerVersioningStrategy::None { build_id },
    })
}

unsafe fn worker_config(given: &SquallWorkerOptions) -> Result<WorkerConfig, Failure> {
    let time = |nanoseconds| duration(nanoseconds).unwrap_or(Duration::ZERO);
    let rate = |given: f64| (given >= 0.0).then_some(given);
    let failing = if given.fail_workflow_on_nondeterminism {
        HashSet::from([WorkflowErrorType::Nondeterminism])
    } else {
        HashSet::new()
    };
    unsafe {
        let identity = given.identity.text("the identity")?;
        let task_queue = given.task_queue.text("the task queue")?;
        if task_queue.is_empty() {
            return Err(Failure::invalid("Worker task queue cannot be empty"));
        }
        WorkerConfig::builder()
            .namespace(given.temporal_namespace.text("the namespace")?)
            .task_queue(task_queue)
            .maybe_client_identity_override((!identity.is_empty()).then_some(identity))
            .task_types(WorkerTaskTypes {
                enable_workflows: given.workflows,
                enable_local_activities: given.local_activities,
                enable_remote_activities: given.activities,
                enable_nexus: false,
            })
            .versioning_strategy(versioning(given)?)
            .max_cached_workflows(given.max_cached_workflows as usize)
            .max_outstanding_workflow_tasks(given.max_outstanding_workflow_tasks as usize)
            .max_outstanding_activities(given.max_outstanding_activities as usize)
            .max_outstanding_local_activities(given.max_outstanding_local_activities as usize)
            .maybe_workflow_task_poller_behavior(pollers(&given.workflow_pollers))
            .maybe_activity_task_poller_behavior(pollers(&given.activity_pollers))
            .nonsticky_to_sticky_poll_ratio(given.nonsticky_to_sticky_poll_ratio)
            .sticky_queue_schedule_to_start_timeout(time(given.sticky_schedule_to_start_timeout_ns))
            .max_heartbeat_throttle_interval(time(given.max_heartbeat_throttle_interval_ns))
            .default_heartbeat_throttle_interval(time(given.default_heartbeat_throttle_interval_ns))
            .local_timeout_buffer_for_activities(time(given.local_timeout_buffer_ns))
            .maybe_max_worker_activities_per_second(rate(given.max_activities_per_second))
            .maybe_max_task_queue_activities_per_second(rate(given.max_task_queue_activities_per_second))
            .max_eager_activity_reservations_per_workflow_task(given.max_eager_activities_per_workflow_task as usize)
            .maybe_graceful_shutdown_period(duration(given.graceful_shutdown_period_ns))
            .ignore_evicts_on_shutdown(given.ignore_evictions_on_shutdown)
            .workflow_failure_errors(failing)
            .skip_client_worker_set_check(given.allow_duplicate_worker)
            .build()
            .map_err(Failure::invalid)
    }
}

/// Core registers a worker with its connection, which then holds the worker's client, which holds the connection: a circle
/// that only finalizing breaks. What this returns breaks it for a worker that is freed without; after finalizing it does
/// nothing.
fn unregister(connection: &Connection, worker: &Worker) -> Unregister {
    let workers = connection.workers();
    let key = worker.worker_instance_key();
    Box::new(move || {
        let _ = workers.unregister_slot_provider(key);
        let _ = workers.finalize_unregister(key);
    })
}

fn poll_failure(error: PollError) -> Failure {
    match &error {
        PollError::ShutDown => Failure::shutdown(),
        PollError::TonicError(status) => Failure::with_status(error.to_string(), status),
    }
}

impl SquallWorker {
    fn boxed(
        shared: Arc<Shared>,
        worker: Worker,
        histories: Histories,
        unregister: Option<Unregister>,
    ) -> *mut SquallWorker {
        let owner = shared.new_id();
        Box::into_raw(Box::new(SquallWorker {
            shared,
            owner,
            worker: Mutex::new(Some(Arc::new(worker))),
            released: Arc::default(),
            histories: Mutex::new(histories),
            unregister: Mutex::new(unregister),
        }))
    }

    fn get(&self) -> Result<Arc<Worker>, Failure> {
        lock(&self.worker)
            .clone()
            .ok_or_else(|| Failure::new(Code::FailedPrecondition, "the worker is already being finalized"))
    }

    /// Starts an operation on the worker.
    fn start<F, W>(&self, done: SquallDone, user_data: *mut c_void, work: W) -> u64
    where
        W: FnOnce(Arc<Worker>) -> F + Send + 'static,
        F: Future<Output = Result<Vec<u8>, Failure>> + Send + 'static,
    {
        let worker = self.get();
        let released = self.released.clone();
        self.shared.start(self.owner, Completion::Done(done), user_data, async move {
            let result = work(worker?).await;
            released.notify_one();
            Ok(Output::Bytes(result?))
        })
    }

    /// Starts a poll; its value is the task, encoded.
    fn poll<F, M, P>(&self, done: SquallDone, user_data: *mut c_void, poll: P) -> u64
    where
        P: FnOnce(Arc<Worker>) -> F + Send + 'static,
        F: Future<Output = Result<M, PollError>> + Send + 'static,
        M: Message,
    {
        self.start(done, user_data, |worker| async move {
            poll(worker).await.map(|task| task.encode_to_vec()).map_err(poll_failure)
        })
    }

    /// Starts the completion of a task; `completion` is read before this returns.
    ///
    /// # Safety
    /// `completion` must be readable.
    unsafe fn complete<M, F, E, C>(
        &self,
        completion: SquallSlice,
        done: SquallDone,
        user_data: *mut c_void,
        complete: C,
    ) -> u64
    where
        M: Message + Default + 'static,
        C: FnOnce(Arc<Worker>, M) -> F + Send + 'static,
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: std::fmt::Display,
    {
        let completion = unsafe { decoded::<M>(completion, "the completion") };
        self.start(done, user_data, |worker| async move {
            complete(worker, completion?).await.map_err(|error| Failure::invalid(error.to_string()))?;
            Ok(vec![])
        })
    }
}

unsafe fn decoded<M: Message + Default>(bytes: SquallSlice, what: &str) -> Result<M, Failure> {
    M::decode(unsafe { bytes.bytes() }).map_err(|error| Failure::invalid(format!("{what} is unreadable: {error}")))
}

/// Makes a worker. On failure returns an error to be freed and sets `*worker_owned` to NULL. Polling the server starts
/// with the first poll.
///
/// # Safety
/// All pointers must be valid; `connection` must be of `runtime`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn squall_worker_new(
    runtime: *const SquallRuntime,
    connection: *const SquallConnection,
    options: *const SquallWorkerOptions,
    worker_owned: *mut *mut SquallWorker,
) -> *mut SquallError {
    boxed_error(contain(|| {
        unsafe { *worker_owned = std::ptr::null_mut() };
        let shared = unsafe { &*runtime }.shared.clone();
        let config = unsafe { worker_config(&*options)? };
        let connection = &unsafe { &*connection }.connection;
        let worker = shared.enter(|| {
            init_worker(shared.core(), config, connection.clone())
                .map_err(|error| Failure::invalid(format!("{error:#}")))
        })?;
        let unregister = unregister(connection, &worker);
        unsafe { *worker_owned = SquallWorker::boxed(shared, worker, Histories::NotReplay, Some(unregister)) };
        Ok(())
    }))
}

/// Makes a worker that replays the histories it is given by squall_worker_push_history.
///
/// # Safety
/// All pointers must be valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn squall_worker_new_replay(
    runtime: *const SquallRuntime,
    options: *const SquallWorkerOptions,
    worker_owned: *mut *mut SquallWorker,
) -> *mut SquallError {
    boxed_error(contain(|| {
        unsafe { *worker_owned = std::ptr::null_mut() };
        let shared = unsafe { &*runtime }.shared.clone();
        let config = unsafe { worker_config(&*options)? };
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let worker = shared.enter(|| {
            let histories = stream::poll_fn(move |context| receiver.poll_recv(context));
            init_replay_worker(ReplayWorkerInput::new(config, histories))
                .map_err(|error| Failure::invalid(format!("{error:#}")))
        })?;
        unsafe { *worker_owned = SquallWorker::boxed(shared, worker, Histories::Open(sender), None) };
        Ok(())
    }))
}

/// Frees a worker: its pending operations are cancelled (called back before this returns); one that was not finalized is
/// told to shut down, taken off its connection's register and left to core, which may keep its connection open as long as
/// the runtime lives. A replay worker that was not finalized keeps some memory (about 40 KB) for good.
///
/// # Safety
/// `worker_owned` must come from this library and not have been freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn squall_worker_free(worker_owned: *mut SquallWorker) {
    if worker_owned.is_null() {
        return;
    }
    let worker = unsafe { Box::from_raw(worker_owned) };
    let shared = worker.shared.clone();
    let _ = shared.enter(|| {
        shared.cancel_owner(worker.owner, "the worker was freed");
        if let Some(core) = lock(&worker.worker).take() {
            core.initiate_shutdown();
        }
        if let Some(unregister) = lock(&worker.unregister).take() {
            unregister();
        }
        drop(worker);
        Ok(())
    });
}

/// Asks the server about the namespace.
///
/// # Safety
/// `worker` must be valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn squall_worker_validate(
    worker: *const SquallWorker,
    done: SquallDone,
    user_data: *mut c_void,
) -> u64 {
    unsafe { &*worker }.start(done, user_data, |worker| async move {
        match worker.validate().await {
            Ok(_) => Ok(vec![]),
            Err(error) => {
                let message = error.to_string();
                let WorkerValidationError::NamespaceDescribeError { source, .. } = &error;
                Err(Failure::with_status(message, source))
            }
        }
    })
}

/// The value is a coresdk.workflow_activation.WorkflowActivation; SQUALL_CODE_SHUTDOWN when there will be none. One poll at
/// a time.
///
/// # Safety
/// `worker` must be valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn squall_worker_poll_workflow_activation(
    worker: *const SquallWorker,
    done: SquallDone,
    user_data: *mut c_void,
) -> u64 {
    unsafe { &*worker }.poll(done, user_data, |worker| async move { worker.poll_workflow_activation().await })
}

/// The value is a coresdk.activity_task.ActivityTask; else as squall_worker_poll_workflow_activation.
///
/// # Safety
/// `worker` must be valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn squall_worker_poll_activity_task(
    worker: *const SquallWorker,
    done: SquallDone,
    user_data: *mut c_void,
) -> u64 {
    unsafe { &*worker }.poll(done, user_data, |worker| async move { worker.poll_activity_task().await })
}

/// `completion` is a coresdk.workflow_completion.WorkflowActivationCompletion.
///
/// # Safety
/// `worker` must be valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn squall_worker_complete_workflow_activation(
    worker: *const SquallWorker,
    completion: SquallSlice,
    done: SquallDone,
    user_data: *mut c_void,
) -> u64 {
    let complete = |worker: Arc<Worker>, given: WorkflowActivationCompletion| async move {
        worker.complete_workflow_activation(given).await
    };
    unsafe { (&*worker).complete(completion, done, user_data, complete) }
}

/// `completion` is a coresdk.ActivityTaskCompletion.
///
/// # Safety
/// `worker` must be valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn squall_worker_complete_activity_task(
    worker: *const SquallWorker,
    completion: SquallSlice,
    done: SquallDone,
    user_data: *mut c_void,
) -> u64 {
    let complete = |worker: Arc<Worker>, given: ActivityTaskCompletion| async move {
        worker.complete_activity_task(given).await
    };
    unsafe { (&*worker).complete(completion, done, user_data, complete) }
}

/// `heartbeat` is a coresdk.ActivityHeartbeat. Core throttles it and reports cancellations as activity tasks.
///
/// # Safety
/// `worker` must be valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn squall_worker_record_activity_heartbeat(
    worker: *const SquallWorker,
    heartbeat: SquallSlice,
) -> *mut SquallError {
    let worker = unsafe { &*worker };
    boxed_error(worker.shared.enter(|| {
        let heartbeat = unsafe { decoded::<ActivityHeartbeat>(heartbeat, "the heartbeat")? };
        worker.get()?.record_activity_heartbeat(heartbeat);
        Ok(())
    }))
}

/// Asks for a run's eviction, which comes as an activation.
///
/// # Safety
/// `worker` must be valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn squall_worker_request_eviction(
    worker: *const SquallWorker,
    run_id: SquallSlice,
) -> *mut SquallError {
    let worker = unsafe { &*worker };
    boxed_error(worker.shared.enter(|| {
        worker.get()?.request_workflow_eviction(&unsafe { run_id.text("the run id")? });
        Ok(())
    }))
}

/// Uses another connection for everything that starts from now on.
///
/// # Safety
/// `worker` and `connection` must be valid and of one runtime.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn squall_worker_replace_client(
    worker: *const SquallWorker,
    connection: *const SquallConnection,
) -> *mut SquallError {
    let worker = unsafe { &*worker };
    boxed_error(worker.shared.enter(|| {
        let core = worker.get()?;
        let connection = &unsafe { &*connection }.connection;
        // A replay worker is registered nowhere that could be reached.
        let mut registered = lock(&worker.unregister);
        core.replace_client(connection.clone())
            .map_err(|error| Failure::new(Code::FailedPrecondition, format!("{error:#}")))?;
        if registered.is_some() {
            *registered = Some(unregister(connection, &core));
        }
        Ok(())
    }))
}

/// Stops polling the server. Polls of this worker hand out what is left, then end with SQUALL_CODE_SHUTDOWN.
///
/// # Safety
/// `worker` must be valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn squall_worker_initiate_shutdown(worker: *const SquallWorker) {
    let worker = unsafe { &*worker };
    let _ = worker.shared.enter(|| {
        worker.get()?.initiate_shutdown();
        Ok(())
    });
}

/// Ends the worker once its polls have ended and everything handed out is completed. Once only.
///
/// # Safety
/// `worker` must be valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn squall_worker_finalize_shutdown(
    worker: *const SquallWorker,
    done: SquallDone,
    user_data: *mut c_void,
) -> u64 {
    let worker = unsafe { &*worker };
    let core = worker.get();
    lock(&worker.worker).take();
    let released = worker.released.clone();
    worker.shared.start(worker.owner, Completion::Done(done), user_data, async move {
        let mut core = core?;
        core.shutdown().await;
        // What is still pending then (a completion, say) is about to end, unless a poll was left open against the rules.
        loop {
            core = match Arc::try_unwrap(core) {
                Ok(alone) => {
                    alone.finalize_shutdown().await;
                    return Ok(Output::Bytes(vec![]));
                }
                Err(shared) => shared,
            };
            if tokio::time::timeout(FINALIZE_LIMIT, released.notified()).await.is_err() {
                break;
            }
        }
        Err(Failure::new(
            Code::FailedPrecondition,
            format!("cannot finalize: {} operations of the worker are still pending", Arc::strong_count(&core) - 1),
        ))
    })
}

/// Feeds a replay worker: `history` is a temporal.api.history.v1.History.
///
/// # Safety
/// `worker` must be valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn squall_worker_push_history(
    worker: *const SquallWorker,
    workflow_id: SquallSlice,
    history: SquallSlice,
) -> *mut SquallError {
    let worker = unsafe { &*worker };
    boxed_error(contain(|| {
        let workflow_id = unsafe { workflow_id.text("the workflow id")? };
        let history = unsafe { decoded::<History>(history, "the history")? };
        // Core panics on these while it polls.
        HistoryInfo::new_from_history(&history, None)
            .map_err(|error| Failure::invalid(format!("history of '{workflow_id}': {error:#}")))?;
        let run_id = history.events.first().and_then(|event| match &event.attributes {
            Some(history_event::Attributes::WorkflowExecutionStartedEventAttributes(started)) => {
                Some(started.original_execution_run_id.as_str())
            }
            _ => None,
        });
        if run_id.is_none_or(str::is_empty) {
            return Err(Failure::invalid(format!("history of '{workflow_id}': its first event has no run id")));
        }
        match &*lock(&worker.histories) {
            Histories::Open(sender) => sender
                .send(HistoryForReplay::new(history, workflow_id))
                .map_err(|_| Failure::new(Code::FailedPrecondition, "the replay worker has ended")),
            Histories::Closed => {
                Err(Failure::new(Code::FailedPrecondition, "the histories of this worker are closed"))
            }
            Histories::NotReplay => Err(Failure::new(Code::FailedPrecondition, "this is no replay worker")),
        }
    }))
}

/// No more histories will come: the replay worker shuts down after the last one.
///
/// # Safety
/// `worker` must be valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn squall_worker_close_histories(worker: *const SquallWorker) -> *mut SquallError {
    let worker = unsafe { &*worker };
    boxed_error(contain(|| {
        let mut histories = lock(&worker.histories);
        match &*histories {
            Histories::NotReplay => Err(Failure::new(Code::FailedPrecondition, "this is no replay worker")),
            _ => {
                *histories = Histories::Closed;
                Ok(())
            }
        }
    }))
}
