//! Panics of a plugin end its call, not its process.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::error::{PluginError, PluginResult};

thread_local! {
    static IS_GUARDED: Cell<bool> = const { Cell::new(false) };
    static PANICKED_AT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// What a method of a plugin returns, with its panics as failures in their words.
pub(crate) struct Guarded<'a, T>(pub(crate) Pin<Box<dyn Future<Output = T> + Send + 'a>>);

impl<T> Future for Guarded<'_, T> {
    type Output = PluginResult<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<PluginResult<T>> {
        match guarded(|| self.0.as_mut().poll(context)) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

/// Runs code of a plugin.
pub(crate) fn guarded<T>(run: impl FnOnce() -> T) -> PluginResult<T> {
    let was = IS_GUARDED.with(|guarded| guarded.replace(true));
    let outcome = catch_unwind(AssertUnwindSafe(run));
    IS_GUARDED.with(|guarded| guarded.set(was));
    outcome.map_err(|panic| PluginError::Failed(words_of(panic.as_ref())))
}

/// Where the last panic of guarded code happened; told once.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn take_place() -> Option<String> {
    PANICKED_AT.with(|place| place.borrow_mut().take())
}

/// Keeps the panics of guarded code off stderr: their words are the call's error, their place a line of its log.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn keep_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !IS_GUARDED.with(Cell::get) {
            before(info);
            return;
        }
        let place = info.location().map(|at| format!("panicked at {at}"));
        PANICKED_AT.with(|kept| *kept.borrow_mut() = place);
    }));
}

pub(crate) fn words_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_string());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "it panicked without words".to_string())
}
