use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Runs a future on this thread until it is done: for an author's own tests of a plugin.
///
/// ```
/// use phantom_ml_core::plugins::*;
/// assert_eq!(block_on(async { 6 * 7 }), 42);
/// ```
///
/// # Panics
///
/// In WebAssembly, where nothing can wake a future that waits for something else than its host.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = Box::pin(future);
    loop {
        if let Some(output) = platform::turn(future.as_mut()) {
            return output;
        }
    }
}

#[cfg(not(target_family = "wasm"))]
mod platform {
    use super::{Context, Future, Pin, Poll};
    use std::sync::Arc;
    use std::task::Wake;
    use std::thread::Thread;

    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    pub(super) fn turn<F: Future>(future: Pin<&mut F>) -> Option<F::Output> {
        let waker = Arc::new(Unpark(std::thread::current())).into();
        match future.poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => {
                std::thread::park();
                None
            }
        }
    }
}

#[cfg(target_family = "wasm")]
mod platform {
    use super::{Context, Future, Pin, Poll};
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::Arc;
    use std::task::Wake;

    struct Again(AtomicBool);

    impl Wake for Again {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    pub(super) fn turn<F: Future>(future: Pin<&mut F>) -> Option<F::Output> {
        let again = Arc::new(Again(AtomicBool::new(false)));
        let waker = again.clone().into();
        match future.poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => Some(output),
            Poll::Pending if again.0.load(Ordering::SeqCst) => None,
            Poll::Pending => panic!("it waits for something that nothing can wake: a WebAssembly plugin waits by context.sleep() alone"),
        }
    }
}
