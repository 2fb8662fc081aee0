//! Buffers that cross the border, and what is said when there is no room for one.

use std::alloc::{alloc, dealloc, GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, Ordering};

use super::call_host;

static IS_TOLD: AtomicBool = AtomicBool::new(false);

/// The system's allocator, which tells the host when it got nothing: the trap behind that says `unreachable`, no more.
pub struct Allocator;

// SAFETY: the system's allocator does all of it.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        told(System.alloc(layout), layout.size())
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        System.dealloc(at, layout);
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        told(System.alloc_zeroed(layout), layout.size())
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        told(System.realloc(at, layout, size), size)
    }
}

fn told(at: *mut u8, size: usize) -> *mut u8 {
    if at.is_null() && !IS_TOLD.swap(true, Ordering::SeqCst) {
        tell(size);
        IS_TOLD.store(false, Ordering::SeqCst);
    }
    at
}

/// In the words of the standard library; without memory of its own.
fn tell(size: usize) {
    const HEAD: &[u8] = b"{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"log\",\"params\":{\"level\":\"error\",\"message\":\"memory allocation of ";
    const TAIL: &[u8] = b" bytes failed\"}}\n";
    const DIGITS: usize = 20;
    let mut frame = [0; HEAD.len() + DIGITS + TAIL.len()];
    let mut digits = [0; DIGITS];
    let (mut left, mut first) = (size, DIGITS);
    loop {
        first -= 1;
        digits[first] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 {
            break;
        }
    }
    let mut length = 0;
    for part in [HEAD, &digits[first..], TAIL] {
        frame[length..length + part.len()].copy_from_slice(part);
        length += part.len();
    }
    // What the host answers is nothing, and its few bytes are left: the instance is about to end.
    let _ = call_host(&frame[..length]);
}

/// Null where there is no room.
pub fn allocate(length: usize) -> *mut u8 {
    // SAFETY: the layout has a size.
    layout_of(length).map_or(std::ptr::null_mut(), |layout| unsafe { alloc(layout) })
}

/// # Safety
///
/// `at` came of `allocate(length)`, or is a boxed slice of that length.
pub unsafe fn free(at: *mut u8, length: usize) {
    if let Some(layout) = layout_of(length) {
        dealloc(at, layout);
    }
}

fn layout_of(length: usize) -> Option<Layout> {
    Layout::from_size_align(length.max(1), 1).ok()
}

/// `address << 32 | length`, of bytes that belong to the host from then on.
pub(super) fn give(bytes: Vec<u8>) -> u64 {
    let bytes = bytes.into_boxed_slice();
    let length = bytes.len() as u64;
    ((Box::into_raw(bytes) as *mut u8 as u64) << 32) | length
}

/// Bytes that the host made by `allocate`, and that belong to this module from then on.
///
/// # Safety
///
/// `packed` is what the host's `call` returned.
pub(super) unsafe fn take(packed: u64) -> Vec<u8> {
    let (at, length) = ((packed >> 32) as usize, (packed & 0xffff_ffff) as usize);
    if at == 0 || length == 0 {
        return Vec::new();
    }
    Vec::from_raw_parts(at as *mut u8, length, length)
}
