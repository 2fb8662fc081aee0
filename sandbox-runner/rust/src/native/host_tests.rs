use super::super::call::Call;
use super::*;
use crate::error::{PluginError, PluginResult};
use std::future::Future;

const EXECUTE: &str = "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"execute\",\"params\":{\"operation\":\"a\",\"timeout_ms\":60000}}\n";
const CANCEL: &str = "{\"jsonrpc\":\"2.0\",\"method\":\"cancel\",\"params\":{\"id\":2}}\n";

/// A call that runs, and the daemon's end of the channel.
fn running_call() -> (Call, UnixStream) {
    let (daemon, own) = UnixStream::pair().unwrap();
    let host = Host::attached(own);
    (&daemon).write_all(EXECUTE.as_bytes()).unwrap();
    host.wait(None);
    let frame = host.next_frame().unwrap();
    (Call::new(2, host, &frame.params), daemon)
}

/// Code that never waits asks until it hears; a look costs a system call, so not every question is one.
fn hears_of_it(call: &Call) -> bool {
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(10) {
        if call.is_cancelled() {
            return true;
        }
    }
    false
}

#[test]
fn hears_that_a_call_is_cancelled_while_code_runs_that_never_waits() {
    let (call, daemon) = running_call();
    assert!(!call.is_cancelled());
    (&daemon).write_all(CANCEL.as_bytes()).unwrap();
    assert!(hears_of_it(&call));
    assert!(call.host().next_frame().is_none());
}

#[test]
fn hears_it_on_any_thread() {
    let (call, daemon) = running_call();
    (&daemon).write_all(CANCEL.as_bytes()).unwrap();
    std::thread::scope(|scope| assert!(scope.spawn(|| hears_of_it(&call)).join().unwrap()));
}

#[test]
fn keeps_what_else_it_read_meanwhile_in_order() {
    let (call, daemon) = running_call();
    for line in [
        EXECUTE.replace("\"id\":2", "\"id\":3"),
        "{\"id\":4,\"method\":\"ping\"}\n".to_string(),
        CANCEL.to_string(),
    ] {
        (&daemon).write_all(line.as_bytes()).unwrap();
    }
    assert!(hears_of_it(&call));
    let ids: Vec<_> = std::iter::from_fn(|| call.host().next_frame())
        .map(|frame| frame.id)
        .collect();
    assert_eq!(ids, [Some(3), Some(4)]);
}

#[test]
fn cancels_a_call_that_waits_for_its_turn() {
    let (call, daemon) = running_call();
    let next = EXECUTE.replace("\"id\":2", "\"id\":9");
    (&daemon).write_all(next.as_bytes()).unwrap();
    (&daemon)
        .write_all(CANCEL.replace("\"id\":2", "\"id\":9").as_bytes())
        .unwrap();
    (&daemon).write_all(CANCEL.as_bytes()).unwrap();
    assert!(hears_of_it(&call));
    let frame = call.host().next_frame().unwrap();
    let queued = Call::new(9, call.host().clone(), &frame.params);
    assert!(queued.is_cancelled());
}

struct Counts(AtomicU64);

impl std::task::Wake for Counts {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn sleeps_wake_at_their_time_or_when_they_are_cancelled_and_leave_nothing() {
    let (call, daemon) = running_call();
    let call = Arc::new(call);
    let counts = Arc::new(Counts(AtomicU64::new(0)));
    let waker = counts.clone().into();
    let mut context = std::task::Context::from_waker(&waker);
    let mut short = Box::pin(call.sleep(Duration::from_millis(1)));
    let mut long = Box::pin(call.sleep(Duration::from_secs(60)));
    assert!(short.as_mut().poll(&mut context).is_pending());
    assert!(long.as_mut().poll(&mut context).is_pending());
    while counts.0.load(Ordering::SeqCst) == 0 {
        call.host().wake_due();
    }
    assert_eq!(counts.0.load(Ordering::SeqCst), 1);
    assert!(short.as_mut().poll(&mut context).is_ready());
    (&daemon).write_all(CANCEL.as_bytes()).unwrap();
    assert!(hears_of_it(&call));
    assert_eq!(counts.0.load(Ordering::SeqCst), 2);
    assert!(long.as_mut().poll(&mut context).is_ready());
    drop(long);
    let dropped = Box::pin(call.sleep(Duration::from_secs(60)))
        .as_mut()
        .poll(&mut context);
    assert!(dropped.is_ready(), "of a call that is cancelled already");
    assert!(call.host().next_wait().is_none());
}

/// What a call sends, and what it hears; the daemon's end answers with that line.
fn send_and_hear(answer: &str) -> (String, PluginResult<String>) {
    let (call, daemon) = running_call();
    let mut sending = Box::pin(call.send_message("b", "note", b"{\"n\":1}"));
    let waker = std::task::Waker::from(Arc::new(Idle));
    let mut context = std::task::Context::from_waker(&waker);
    assert!(sending.as_mut().poll(&mut context).is_pending());
    let mut sent = vec![0; 1024];
    let length = (&daemon).read(&mut sent).unwrap();
    (&daemon).write_all(answer.as_bytes()).unwrap();
    call.host().wait(None);
    assert!(call.host().next_frame().is_none());
    let heard = match sending.as_mut().poll(&mut context) {
        std::task::Poll::Ready(heard) => heard,
        std::task::Poll::Pending => panic!("it heard nothing"),
    };
    sent.truncate(length);
    (String::from_utf8(sent).unwrap(), heard)
}

struct Idle;

impl std::task::Wake for Idle {
    fn wake(self: Arc<Self>) {}
}

#[test]
fn sends_a_message_with_its_payload_behind_the_line_and_hears_its_id() {
    let (sent, heard) = send_and_hear("{\"id\":1,\"result\":{\"message_id\":\"m-7\"}}\n");
    assert_eq!(
        sent,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"send_message\",\"params\":{\"recipient\":\"b\",\"type\":\"note\"},\"payload_bytes\":7}\n{\"n\":1}"
    );
    assert_eq!(heard, Ok("m-7".to_string()));
}

#[test]
fn hears_why_a_message_was_not_taken() {
    let error = "{\"code\":-33023,\"message\":\"too many\",\"data\":{\"name\":\"QUEUE_FULL\"}}";
    let stray = "{\"id\":99,\"result\":null}\n";
    let (_, heard) = send_and_hear(&format!("{stray}{{\"id\":1,\"error\":{error}}}\n"));
    let (code, message) = ("QUEUE_FULL".to_string(), "too many".to_string());
    assert_eq!(heard, Err(PluginError::MessageRefused { code, message }));
}
