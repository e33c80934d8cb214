//! Client RPCs by name, through core's own client: its interceptors, headers, metrics and, when asked, its retries.

use std::ffi::c_void;
use std::time::Duration;

use temporalio_client::RetryOptions;
use temporalio_client::request_extensions::RetryConfigForCall;
use tonic::metadata::{AsciiMetadataKey, AsciiMetadataValue, BinaryMetadataKey, BinaryMetadataValue};
use tonic::{Code, Request, Status};

use crate::abi::*;
use crate::connection::SquallConnection;
use crate::rpc_table;
use crate::runtime::{Completion, Output};

#[repr(C)]
pub struct SquallCall {
    /// "temporal.api.workflowservice.v1.WorkflowService"
    pub service: SquallSlice,
    /// "StartWorkflowExecution"
    pub method: SquallSlice,
    /// The serialized request.
    pub request: SquallSlice,
    /// SQUALL_NONE: core's default.
    pub timeout_ns: i64,
    pub metadata: *const SquallPair,
    pub metadata_count: usize,
    /// Through core's retry layer, or exactly once.
    pub retry: bool,
}

/// What a call carries besides its name.
pub(crate) struct Call {
    request: Vec<u8>,
    timeout: Option<Duration>,
    texts: Vec<(AsciiMetadataKey, AsciiMetadataValue)>,
    binaries: Vec<(BinaryMetadataKey, BinaryMetadataValue)>,
    retry: bool,
}

impl Call {
    unsafe fn new(given: &SquallCall) -> Result<Self, Failure> {
        let mut texts = vec![];
        let mut binaries = vec![];
        for pair in unsafe { pairs(given.metadata, given.metadata_count) } {
            let key = unsafe { pair.key.text("a metadata key")? };
            let bytes = unsafe { pair.value.bytes() };
            let refused = |why: &dyn std::fmt::Display| Failure::invalid(format!("metadata '{key}': {why}"));
            if key.ends_with("-bin") {
                let name = BinaryMetadataKey::from_bytes(key.as_bytes()).map_err(|error| refused(&error))?;
                binaries.push((name, BinaryMetadataValue::from_bytes(bytes)));
            } else {
                let name = AsciiMetadataKey::from_bytes(key.as_bytes()).map_err(|error| refused(&error))?;
                let value = AsciiMetadataValue::try_from(bytes).map_err(|error| refused(&error))?;
                texts.push((name, value));
            }
        }
        Ok(Call {
            request: unsafe { given.request.bytes() }.to_vec(),
            timeout: duration(given.timeout_ns),
            texts,
            binaries,
            retry: given.retry,
        })
    }

    /// The typed request for tonic.
    pub fn into_request<M: prost::Message + Default>(self) -> Result<Request<M>, Status> {
        let message = M::decode(self.request.as_slice())
            .map_err(|error| Status::invalid_argument(format!("the request is no such message: {error}")))?;
        let mut request = Request::new(message);
        for (key, value) in self.texts {
            request.metadata_mut().append(key, value);
        }
        for (key, value) in self.binaries {
            request.metadata_mut().append_bin(key, value);
        }
        if let Some(timeout) = self.timeout {
            request.set_timeout(timeout);
        }
        if !self.retry {
            request.extensions_mut().insert(RetryConfigForCall(RetryOptions::no_retries()));
        }
        Ok(request)
    }
}

/// Calls an RPC; the value is the serialized response. UNIMPLEMENTED when core's client has no such method.
///
/// # Safety
/// `connection` and `call` must be valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn squall_connection_call(
    connection: *const SquallConnection,
    call: *const SquallCall,
    done: SquallDone,
    user_data: *mut c_void,
) -> u64 {
    let connection = unsafe { &*connection };
    let prepared = contain(|| unsafe {
        let given = &*call;
        let service = given.service.text("the service")?;
        let method = given.method.text("the method")?;
        rpc_table::call(connection.connection.clone(), &service, &method, Call::new(given)?).ok_or_else(|| {
            Failure::new(Code::Unimplemented, format!("core's client has no method {service}/{method}"))
        })
    });
    connection.shared.start(connection.owner, Completion::Done(done), user_data, async move {
        Ok(Output::Bytes(prepared?.await?))
    })
}

/// Whether squall_connection_call knows this method.
#[unsafe(no_mangle)]
pub extern "C" fn squall_rpc_known(service: SquallSlice, method: SquallSlice) -> bool {
    contain(|| unsafe { Ok(rpc_table::known(&service.text("the service")?, &method.text("the method")?)) })
        .unwrap_or(false)
}
