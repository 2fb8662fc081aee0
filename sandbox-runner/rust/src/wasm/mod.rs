//! A plugin as a WebAssembly module: "phantom-wasm v1", the messages of contract Runner one at a time.

mod call;
mod environment;
mod memory;
mod requests;

use std::sync::{Arc, Mutex};

use serde_json::{json, Value};

pub(crate) use call::{Call, Host};
pub use memory::{allocate, free, Allocator};

use crate::block_on::block_on;
use crate::frame::Frame;
use crate::guard::words_of;
use crate::maker::Maker;
use crate::plugin::Plugin;
use crate::session::Session;
use crate::wire::{answer, Reply, WireError};

#[link(wasm_import_module = "phantom:host/v1")]
extern "C" {
    #[link_name = "call"]
    fn phantom_host_call(at: *const u8, length: usize) -> u64;
}

/// Sends a request; its answer.
fn call_host(frame: &[u8]) -> Vec<u8> {
    // SAFETY: the host reads the frame before it returns, and returns what it made by `phantom_alloc`.
    unsafe { memory::take(phantom_host_call(frame.as_ptr(), frame.len())) }
}

trait Served {
    fn serve(&mut self, frame: Frame) -> Option<(u64, Reply)>;
}

static SERVED: Mutex<Option<Box<dyn Served + Send>>> = Mutex::new(None);

/// Answers a request of the host's.
///
/// # Safety
///
/// `at` and `length` are those of a frame.
pub unsafe fn handle<P: Plugin>(
    at: *const u8,
    length: usize,
    maker: impl FnOnce() -> Maker<P>,
) -> u64 {
    let frame = std::slice::from_raw_parts(at, length);
    let mut served = match SERVED.lock() {
        Ok(served) => served,
        Err(poisoned) => poisoned.into_inner(),
    };
    let served = served.get_or_insert_with(|| {
        tell_panics();
        Box::new(Module::new(maker()))
    });
    let reply = read(frame).and_then(|frame| served.serve(frame));
    // Nothing is a violation, and so is what led to it.
    reply.map_or(0, |(id, reply)| memory::give(answer(id, reply)))
}

fn read(bytes: &[u8]) -> Option<Frame> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let (mut frame, payload_bytes) = Frame::of_line(&bytes[..end]).ok()?;
    frame.payload = payload_bytes.map(|_| bytes[end + 1..].to_vec());
    Some(frame)
}

/// A panic traps, and a trap has no words: the host takes the last line of level `error` for them.
fn tell_panics() {
    std::panic::set_hook(Box::new(|info| {
        let host = Host::detached();
        if let Some(place) = info.location() {
            host.log(
                crate::log::LogLevel::Debug,
                &format!("panicked at {place}"),
                None,
            );
        }
        host.log(crate::log::LogLevel::Error, &words_of(info.payload()), None);
    }));
}

struct Module<P> {
    maker: Arc<Mutex<Maker<P>>>,
    session: Option<Session<P>>,
    host: Arc<Host>,
}

impl<P: Plugin> Module<P> {
    fn new(maker: Maker<P>) -> Self {
        Self {
            maker: Arc::new(Mutex::new(maker)),
            session: None,
            host: Host::detached(),
        }
    }

    fn start(&mut self, params: Value) -> Result<Value, WireError> {
        Session::<P>::check_version(&params)?;
        let start = Session::start(self.maker.clone(), params, self.host.clone());
        let (session, introduction) = block_on(start)?;
        self.session = Some(session);
        Ok(introduction)
    }
}

impl<P: Plugin> Served for Module<P> {
    fn serve(&mut self, frame: Frame) -> Option<(u64, Reply)> {
        let Frame {
            id,
            method,
            params,
            payload,
        } = frame;
        let id = id?;
        let reply = match (method.as_str(), &self.session) {
            ("initialize", None) => self.start(params).map_or_else(Reply::Error, Reply::Result),
            ("execute", Some(session)) => {
                let call = Arc::new(Call::new(id, self.host.clone()));
                block_on(session.execute(&params, payload, call))
            }
            ("message", Some(session)) => {
                let call = Arc::new(Call::new(id, self.host.clone()));
                block_on(session.message(&params, payload, call))
            }
            ("shutdown", _) => {
                if let Some(session) = self.session.take() {
                    block_on(session.leave());
                }
                Reply::Result(json!(null))
            }
            (method, Some(session)) => match session.hook(method, &params) {
                Some(reply) => block_on(reply),
                None => Reply::Error(WireError::unknown_method(method)),
            },
            (_, None) => return None,
        };
        Some((id, reply))
    }
}
