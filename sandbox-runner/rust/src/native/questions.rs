use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use serde_json::Value;

use super::host::{lock, Host};

/// What the process asked the daemon and has no answer to.
#[derive(Default)]
pub(super) struct Questions {
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    last: u64,
    waiting: HashMap<u64, Waiting>,
}

enum Waiting {
    Unasked,
    For(Waker),
    Answered(Value),
}

impl Questions {
    /// The id of the next one.
    pub(super) fn open(&self) -> u64 {
        let mut open = lock(&self.open);
        open.last += 1;
        let id = open.last;
        open.waiting.insert(id, Waiting::Unasked);
        id
    }

    /// One that nobody waits for any more is let go.
    pub(super) fn answered(&self, id: Option<u64>, answer: &Value) {
        let mut open = lock(&self.open);
        let waiting = match id.and_then(|id| open.waiting.get_mut(&id)) {
            Some(waiting) => waiting,
            None => return,
        };
        let before = std::mem::replace(waiting, Waiting::Answered(answer.clone()));
        drop(open);
        if let Waiting::For(waker) = before {
            waker.wake();
        }
    }
}

/// Ends with the daemon's answer, as it came.
pub(super) struct Question {
    host: Arc<Host>,
    id: u64,
}

impl Question {
    pub(super) fn new(host: Arc<Host>, id: u64) -> Self {
        Self { host, id }
    }
}

impl Future for Question {
    type Output = Value;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Value> {
        let questions = match self.host.questions() {
            Some(questions) => questions,
            None => return Poll::Pending,
        };
        let mut open = lock(&questions.open);
        match open.waiting.get_mut(&self.id) {
            Some(Waiting::Answered(answer)) => Poll::Ready(answer.take()),
            Some(waiting) => {
                *waiting = Waiting::For(context.waker().clone());
                Poll::Pending
            }
            None => Poll::Pending,
        }
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        if let Some(questions) = self.host.questions() {
            lock(&questions.open).waiting.remove(&self.id);
        }
    }
}
