use super::super::call::Call;
use super::*;

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
