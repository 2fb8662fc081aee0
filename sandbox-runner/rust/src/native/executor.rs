use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use serde_json::Value;

use super::call::Call;
use super::host::{broken_off, Host, PROTOCOL};
use super::wakeup::Wakeup;
use crate::frame::Frame;
use crate::maker::Maker;
use crate::plugin::Plugin;
use crate::session::{BoxFuture, Session};
use crate::wire::{answer, Reply, WireError};

enum Outcome<P> {
    Reply(Reply),
    Started(Box<Session<P>>, Value),
    Left,
}

struct Task<P> {
    id: u64,
    call: Option<Arc<Call>>,
    future: Pin<Box<dyn Future<Output = Outcome<P>> + Send>>,
}

enum State<P> {
    Fresh,
    Starting,
    Serving(Box<Session<P>>),
    /// It did not start, or is leaving.
    Over,
}

/// Runs everything of a plugin on one thread: what waits gives way to what does not, and a ping is answered when code
/// gives way, so that a plugin that hangs is seen to hang.
pub(super) struct Executor<P> {
    host: Arc<Host>,
    maker: Arc<Mutex<Maker<P>>>,
    state: State<P>,
    tasks: Vec<Task<P>>,
    wakeup: Arc<Wakeup>,
    waker: Waker,
}

impl<P: Plugin> Executor<P> {
    pub(super) fn new(host: Arc<Host>, maker: Maker<P>, wakeup: Wakeup) -> Self {
        let wakeup = Arc::new(wakeup);
        Self {
            host,
            maker: Arc::new(Mutex::new(maker)),
            state: State::Fresh,
            tasks: Vec::new(),
            waker: wakeup.clone().into(),
            wakeup,
        }
    }

    /// Until the process ends.
    pub(super) fn run(mut self) -> ! {
        loop {
            while let Some(frame) = self.host.next_frame() {
                self.serve(frame);
            }
            if self.wakeup.take() {
                self.poll_all();
                continue;
            }
            if self.tasks.is_empty() {
                self.host.wait(None);
                continue;
            }
            let due = self
                .tasks
                .iter()
                .filter_map(|task| task.call.as_ref()?.progress_due());
            let due = due.chain(self.host.next_wait()).min();
            let timeout = due.map(|due| due.saturating_duration_since(Instant::now()));
            self.host.wait(Some((&self.wakeup, timeout)));
            self.host.wake_due();
            self.send_due_progress();
        }
    }

    fn serve(&mut self, frame: Frame) {
        let id = match frame.id {
            Some(id) => id,
            // A notification that a later minor version knows.
            None => return,
        };
        match (frame.method.as_str(), &self.state) {
            ("execute", State::Serving(session)) => {
                let call = Arc::new(Call::new(id, self.host.clone(), &frame.params));
                let reply = session.execute(&frame.params, frame.payload, call.clone());
                self.spawn(id, Some(call), replying(reply));
            }
            ("message", State::Serving(session)) => {
                let call = Arc::new(Call::new(id, self.host.clone(), &frame.params));
                let reply = session.message(&frame.params, frame.payload, call.clone());
                self.spawn(id, Some(call), replying(reply));
            }
            ("ping", _) => self.reply(id, Reply::Result(Value::Null)),
            ("initialize", State::Fresh) => self.start(id, frame.params),
            ("initialize", _) => broken_off("\"initialize\" came twice"),
            ("shutdown", _) => self.shut_down(id),
            (method, State::Serving(session)) => {
                if let Some(reply) = session.hook(method, &frame.params) {
                    self.spawn(id, None, replying(reply));
                } else {
                    self.reply(id, Reply::Error(WireError::unknown_method(method)));
                }
            }
            (method, State::Fresh | State::Starting | State::Over) => broken_off(&format!(
                "\"{method}\" came before \"initialize\" was answered with success"
            )),
        }
    }

    fn start(&mut self, id: u64, params: Value) {
        if let Err(error) = Session::<P>::check_version(&params) {
            self.reply(id, Reply::Error(error));
            std::process::exit(PROTOCOL);
        }
        self.state = State::Starting;
        let start = Session::start(self.maker.clone(), params, self.host.clone());
        let future = async {
            match start.await {
                Ok((session, introduction)) => Outcome::Started(Box::new(session), introduction),
                Err(error) => Outcome::Reply(Reply::Error(error)),
            }
        };
        self.spawn(id, None, Box::pin(future));
    }

    /// Calls that are open hear that they are cancelled, and have one turn to end well.
    fn shut_down(&mut self, id: u64) {
        self.host.cancel_all();
        self.poll_all();
        for task in std::mem::take(&mut self.tasks) {
            drop(task.future);
            self.finish(
                task.id,
                task.call.as_deref(),
                Outcome::Reply(Reply::Error(WireError::cancelled())),
            );
        }
        match std::mem::replace(&mut self.state, State::Over) {
            State::Serving(session) => {
                let left = async {
                    session.leave().await;
                    Outcome::Left
                };
                self.spawn(id, None, Box::pin(left));
            }
            _ => self.finish(id, None, Outcome::Left),
        }
    }

    /// Most are done at once.
    fn spawn(&mut self, id: u64, call: Option<Arc<Call>>, future: BoxFuture<'static, Outcome<P>>) {
        let mut task = Task { id, call, future };
        match self.poll(&mut task) {
            Some(outcome) => self.finish(task.id, task.call.as_deref(), outcome),
            None => self.tasks.push(task),
        }
    }

    fn poll_all(&mut self) {
        let mut at = 0;
        while at < self.tasks.len() {
            let mut task = self.tasks.swap_remove(at);
            match self.poll(&mut task) {
                Some(outcome) => self.finish(task.id, task.call.as_deref(), outcome),
                None => {
                    self.tasks.push(task);
                    let last = self.tasks.len() - 1;
                    self.tasks.swap(at, last);
                    at += 1;
                }
            }
        }
    }

    fn poll(&self, task: &mut Task<P>) -> Option<Outcome<P>> {
        match task
            .future
            .as_mut()
            .poll(&mut Context::from_waker(&self.waker))
        {
            Poll::Ready(outcome) => Some(outcome),
            Poll::Pending => None,
        }
    }

    fn finish(&mut self, id: u64, call: Option<&Call>, outcome: Outcome<P>) {
        if let Some(call) = call {
            call.end();
        }
        match outcome {
            Outcome::Reply(reply) => {
                if matches!(self.state, State::Starting) {
                    self.state = State::Over;
                }
                self.reply(id, reply);
            }
            Outcome::Started(session, introduction) => {
                self.state = State::Serving(session);
                self.reply(id, Reply::Result(introduction));
            }
            Outcome::Left => {
                self.reply(id, Reply::Result(Value::Null));
                std::process::exit(0);
            }
        }
    }

    fn reply(&self, id: u64, reply: Reply) {
        self.host.send(&answer(id, reply));
    }

    fn send_due_progress(&self) {
        let now = Instant::now();
        for call in self.tasks.iter().filter_map(|task| task.call.as_ref()) {
            if call.progress_due().map_or(false, |due| due <= now) {
                call.flush_progress();
            }
        }
    }
}

fn replying<P: Plugin>(reply: BoxFuture<'static, Reply>) -> BoxFuture<'static, Outcome<P>> {
    Box::pin(async { Outcome::Reply(reply.await) })
}
