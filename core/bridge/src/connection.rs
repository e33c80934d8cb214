//! Connections: how they are made, and RPCs that are answered in process instead of on a socket.

use std::collections::HashMap;
use std::ffi::c_void;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use temporalio_client::callback_based::{CallbackBasedGrpcService, GrpcRequest, GrpcSuccessResponse};
use temporalio_client::{
    ClientKeepAliveOptions, ClientTlsOptions, Connection, ConnectionOptions, DnsLoadBalancingOptions,
    GrpcCompression, HttpConnectProxyOptions, RetryOptions, TlsOptions,
};
use tokio::sync::oneshot;
use tonic::{Code, Status};
use url::Url;

use crate::abi::*;
use crate::runtime::{Completion, Output, Shared, SquallConnectDone, SquallRelease, SquallRuntime};

/// An RPC that core makes; borrowed during the callback.
#[repr(C)]
pub struct SquallRpcRequest {
    pub id: u64,
    pub service: SquallSlice,
    pub method: SquallSlice,
    pub headers: *const SquallPair,
    pub header_count: usize,
    pub message: SquallSlice,
}

/// The place to put the answer of one RPC.
pub struct SquallRpcReply(oneshot::Sender<Result<GrpcSuccessResponse, Status>>);

pub type SquallOnRpc = Option<
    unsafe extern "C" fn(user_data: *mut c_void, request: *const SquallRpcRequest, reply_owned: *mut SquallRpcReply),
>;
/// Core has dropped the RPC with this id before it was answered.
pub type SquallOnRpcDropped = Option<unsafe extern "C" fn(user_data: *mut c_void, id: u64)>;

/// Answers RPCs in process. `on_rpc` NULL: the network is used.
#[repr(C)]
pub struct SquallRpcHandler {
    pub on_rpc: SquallOnRpc,
    pub on_dropped: SquallOnRpcDropped,
    /// Called once, when nothing refers to `user_data_owned` any more; it must only release memory.
    pub release: SquallRelease,
    pub user_data_owned: *mut c_void,
}

#[repr(C)]
pub struct SquallRetryOptions {
    pub initial_interval_ns: i64,
    pub randomization_factor: f64,
    pub multiplier: f64,
    pub max_interval_ns: i64,
    /// SQUALL_NONE: no limit.
    pub max_elapsed_time_ns: i64,
    pub max_retries: u32,
}

#[repr(C)]
pub struct SquallConnectOptions {
    /// http://... or https://...
    pub target_url: SquallSlice,
    pub identity: SquallSlice,
    pub client_name: SquallSlice,
    pub client_version: SquallSlice,
    /// Empty: none.
    pub api_key: SquallSlice,
    pub tls: bool,
    /// PEM; empty: the system's roots.
    pub tls_ca: SquallSlice,
    /// PEM; empty: no client certificate.
    pub tls_certificate: SquallSlice,
    pub tls_key: SquallSlice,
    /// Empty: the URL's host.
    pub tls_server_name: SquallSlice,
    pub headers: *const SquallPair,
    pub header_count: usize,
    /// SQUALL_NONE: no keepalive.
    pub keep_alive_interval_ns: i64,
    pub keep_alive_timeout_ns: i64,
    pub connect_timeout_ns: i64,
    /// SQUALL_NONE: no DNS balancing.
    pub dns_interval_ns: i64,
    pub gzip: bool,
    pub skip_get_system_info: bool,
    /// "host:port"; empty: none.
    pub proxy_address: SquallSlice,
    pub proxy_user: SquallSlice,
    pub proxy_password: SquallSlice,
    pub retry: SquallRetryOptions,
    pub rpc_handler: SquallRpcHandler,
}

/// An opaque connection.
pub struct SquallConnection {
    pub(crate) shared: Arc<Shared>,
    pub(crate) owner: u64,
    pub(crate) connection: Connection,
}

/// Keeps `user_data` of a handler until the last RPC of the last user of the connection is over.
struct Handler {
    shared: Arc<Shared>,
    on_rpc: unsafe extern "C" fn(*mut c_void, *const SquallRpcRequest, *mut SquallRpcReply),
    on_dropped: SquallOnRpcDropped,
    user_data: usize,
    release: u64,
}

impl Drop for Handler {
    fn drop(&mut self) {
        self.shared.released(self.release);
    }
}

/// Tells the handler when an unanswered RPC is dropped.
struct DropNotice {
    handler: Arc<Handler>,
    id: u64,
    armed: bool,
}

impl Drop for DropNotice {
    fn drop(&mut self) {
        if self.armed
            && let Some(on_dropped) = self.handler.on_dropped
        {
            let handler = &self.handler;
            handler.shared.gate.pass(|| unsafe { on_dropped(handler.user_data as *mut c_void, self.id) });
        }
    }
}

async fn answer(handler: Arc<Handler>, request: GrpcRequest) -> Result<GrpcSuccessResponse, Status> {
    let id = handler.shared.new_id();
    let (sender, receiver) = oneshot::channel();
    let mut notice = DropNotice { handler: handler.clone(), id, armed: false };
    {
        let headers: Vec<SquallPair> = request
            .headers
            .iter()
            .map(|(key, value)| SquallPair {
                key: SquallSlice::of(key.as_str().as_bytes()),
                value: SquallSlice::of(value.as_bytes()),
            })
            .collect();
        let view = SquallRpcRequest {
            id,
            service: SquallSlice::of(request.service.as_bytes()),
            method: SquallSlice::of(request.rpc.as_bytes()),
            headers: headers.as_ptr(),
            header_count: headers.len(),
            message: SquallSlice::of(&request.proto),
        };
        notice.armed = true;
        handler.shared.gate.pass(|| {
            let reply = Box::into_raw(Box::new(SquallRpcReply(sender)));
            unsafe { (handler.on_rpc)(handler.user_data as *mut c_void, &view, reply) };
        });
    }
    let answered = receiver.await;
    notice.armed = false;
    answered.unwrap_or_else(|_| Err(Status::cancelled("the handler dropped the call")))
}

unsafe fn handler(shared: &Arc<Shared>, given: &SquallRpcHandler) -> Option<CallbackBasedGrpcService> {
    let on_rpc = given.on_rpc?;
    let handler = Arc::new(Handler {
        shared: shared.clone(),
        on_rpc,
        on_dropped: given.on_dropped,
        user_data: given.user_data_owned as usize,
        release: shared.register_release(given.release, given.user_data_owned),
    });
    Some(CallbackBasedGrpcService { callback: Arc::new(move |request| answer(handler.clone(), request).boxed()) })
}

fn texts(given: &[SquallPair]) -> Result<HashMap<String, String>, Failure> {
    let mut headers = HashMap::new();
    for pair in given {
        let key = unsafe { pair.key.text("a header's name")? };
        if !key.ends_with("-bin") {
            let value = unsafe { pair.value.text("a header's value")? };
            headers.insert(key, value);
        }
    }
    Ok(headers)
}

fn binaries(given: &[SquallPair]) -> Result<HashMap<String, Vec<u8>>, Failure> {
    let mut headers = HashMap::new();
    for pair in given {
        let key = unsafe { pair.key.text("a header's name")? };
        if key.ends_with("-bin") {
            headers.insert(key, unsafe { pair.value.bytes() }.to_vec());
        }
    }
    Ok(headers)
}

unsafe fn some_bytes(given: SquallSlice) -> Option<Vec<u8>> {
    (given.size > 0).then(|| unsafe { given.bytes() }.to_vec())
}

fn retry_options(given: &SquallRetryOptions) -> RetryOptions {
    RetryOptions::builder()
        .initial_interval(duration(given.initial_interval_ns).unwrap_or(Duration::ZERO))
        .randomization_factor(given.randomization_factor)
        .multiplier(given.multiplier)
        .max_interval(duration(given.max_interval_ns).unwrap_or(Duration::ZERO))
        .max_elapsed_time(duration(given.max_elapsed_time_ns))
        .max_retries(given.max_retries as usize)
        .build()
}

unsafe fn tls_options(given: &SquallConnectOptions) -> Result<Option<TlsOptions>, Failure> {
    if !given.tls {
        return Ok(None);
    }
    unsafe {
        let identity = match (some_bytes(given.tls_certificate), some_bytes(given.tls_key)) {
            (Some(certificate), Some(key)) => {
                Some(ClientTlsOptions::builder().client_cert(certificate).client_private_key(key).build())
            }
            (None, None) => None,
            _ => return Err(Failure::invalid("a client certificate needs its key, and a key its certificate")),
        };
        let name = given.tls_server_name.text("the TLS server name")?;
        Ok(Some(
            TlsOptions::builder()
                .maybe_server_root_ca_cert(some_bytes(given.tls_ca))
                .maybe_domain((!name.is_empty()).then_some(name))
                .maybe_client_tls_options(identity)
                .build(),
        ))
    }
}

unsafe fn connection_options(
    shared: &Arc<Shared>,
    given: &SquallConnectOptions,
) -> Result<ConnectionOptions, Failure> {
    unsafe {
        // First of all, so that user_data is released on every path.
        let service = handler(shared, &given.rpc_handler);
        let target = given.target_url.text("the target URL")?;
        let target =
            Url::parse(&target).map_err(|error| Failure::invalid(format!("target URL '{target}': {error}")))?;
        let headers = pairs(given.headers, given.header_count);
        let api_key = given.api_key.text("the API key")?;
        let proxy_address = given.proxy_address.text("the proxy's address")?;
        let proxy = if proxy_address.is_empty() {
            None
        } else {
            let user = given.proxy_user.text("the proxy's user")?;
            let password = given.proxy_password.text("the proxy's password")?;
            Some(
                HttpConnectProxyOptions::new(proxy_address)
                    .maybe_basic_auth((!user.is_empty()).then_some((user, password)))
                    .build(),
            )
        };
        let keep_alive = duration(given.keep_alive_interval_ns).map(|interval| {
            ClientKeepAliveOptions::builder()
                .interval(interval)
                .timeout(duration(given.keep_alive_timeout_ns).unwrap_or(Duration::from_secs(15)))
                .build()
        });
        let dns = duration(given.dns_interval_ns)
            .map(|interval| DnsLoadBalancingOptions::builder().resolution_interval(interval).build());
        Ok(ConnectionOptions::new(target)
            .identity(given.identity.text("the identity")?)
            .client_name(given.client_name.text("the client name")?)
            .client_version(given.client_version.text("the client version")?)
            .maybe_api_key((!api_key.is_empty()).then_some(api_key))
            .maybe_tls_options(tls_options(given)?)
            .headers(texts(headers)?)
            .binary_headers(binaries(headers)?)
            .keep_alive(keep_alive)
            .maybe_connect_timeout(duration(given.connect_timeout_ns))
            .dns_load_balancing(dns)
            .grpc_compression(if given.gzip { GrpcCompression::Gzip } else { GrpcCompression::None })
            .skip_get_system_info(given.skip_get_system_info)
            .maybe_http_connect_proxy(proxy)
            .retry_options(retry_options(&given.retry))
            .maybe_service_override(service)
            .maybe_metrics_meter(shared.core().telemetry().get_temporal_metric_meter())
            .build())
    }
}

/// Connects; see SquallConnectDone. `options` is only read during the call.
///
/// # Safety
/// `runtime` and `options` must be valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn squall_connect(
    runtime: *const SquallRuntime,
    options: *const SquallConnectOptions,
    done: SquallConnectDone,
    user_data: *mut c_void,
) -> u64 {
    let shared = unsafe { &*runtime }.shared.clone();
    let options = contain(|| unsafe { connection_options(&shared, &*options) });
    let keep = shared.clone();
    shared.start(0, Completion::Connect(done), user_data, async move {
        let connection = Connection::connect(options?).await?;
        let owner = keep.new_id();
        Ok(Output::Connection(Box::new(SquallConnection { shared: keep, owner, connection })))
    })
}

/// Frees a connection; its pending calls are cancelled (called back before this returns). Workers keep what they need.
///
/// # Safety
/// `connection_owned` must come from squall_connect and not have been freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn squall_connection_free(connection_owned: *mut SquallConnection) {
    if connection_owned.is_null() {
        return;
    }
    let connection = unsafe { Box::from_raw(connection_owned) };
    let shared = connection.shared.clone();
    let _ = shared.enter(|| {
        connection.shared.cancel_owner(connection.owner, "the connection was closed");
        drop(connection);
        Ok(())
    });
}

/// Replaces the API key of later calls; empty: none.
///
/// # Safety
/// `connection` must be valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn squall_connection_set_api_key(
    connection: *const SquallConnection,
    api_key: SquallSlice,
) -> *mut SquallError {
    boxed_error(contain(|| {
        let key = unsafe { api_key.text("the API key")? };
        unsafe { &*connection }.connection.set_api_key((!key.is_empty()).then_some(key));
        Ok(())
    }))
}

/// Replaces the headers of later calls, text and binary.
///
/// # Safety
/// `connection` and `headers` must be valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn squall_connection_set_headers(
    connection: *const SquallConnection,
    headers: *const SquallPair,
    header_count: usize,
) -> *mut SquallError {
    boxed_error(contain(|| {
        let given = unsafe { pairs(headers, header_count) };
        let connection = &unsafe { &*connection }.connection;
        let refused = |error: &dyn std::fmt::Display| Failure::invalid(format!("Invalid headers: {error}"));
        connection.set_headers(texts(given)?).map_err(|error| refused(&error))?;
        connection.set_binary_headers(binaries(given)?).map_err(|error| refused(&error))
    }))
}

/// Answers an RPC with a serialized response and response headers.
///
/// # Safety
/// `reply_owned` must come from SquallOnRpc, unanswered.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn squall_rpc_reply_succeed(
    reply_owned: *mut SquallRpcReply,
    message: SquallSlice,
    headers: *const SquallPair,
    header_count: usize,
) {
    let reply = unsafe { Box::from_raw(reply_owned) };
    let _ = contain(|| {
        let mut map = http::HeaderMap::new();
        for pair in unsafe { pairs(headers, header_count) } {
            let name = http::HeaderName::from_bytes(unsafe { pair.key.bytes() });
            let value = http::HeaderValue::from_bytes(unsafe { pair.value.bytes() });
            if let (Ok(name), Ok(value)) = (name, value) {
                map.append(name, value);
            }
        }
        // The call may be gone meanwhile.
        let _ = reply.0.send(Ok(GrpcSuccessResponse { headers: map, proto: unsafe { message.bytes() }.to_vec() }));
        Ok(())
    });
}

/// Answers an RPC with an error. `details` is a serialized google.rpc.Status or empty; code 0 becomes INTERNAL.
///
/// # Safety
/// As squall_rpc_reply_succeed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn squall_rpc_reply_fail(
    reply_owned: *mut SquallRpcReply,
    code: i32,
    message: SquallSlice,
    details: SquallSlice,
) {
    let reply = unsafe { Box::from_raw(reply_owned) };
    let _ = contain(|| {
        let code = if code == 0 { Code::Internal } else { Code::from_i32(code) };
        let text = String::from_utf8_lossy(unsafe { message.bytes() }).into_owned();
        let details = unsafe { details.bytes() }.to_vec();
        let _ = reply.0.send(Err(Status::with_details(code, text, details.into())));
        Ok(())
    });
}

/// Drops an unanswered RPC: core sees CANCELLED.
///
/// # Safety
/// As squall_rpc_reply_succeed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn squall_rpc_reply_free(reply_owned: *mut SquallRpcReply) {
    if !reply_owned.is_null() {
        drop(unsafe { Box::from_raw(reply_owned) });
    }
}
