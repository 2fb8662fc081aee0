//! Variables: of WASI, which hands out those that are granted, also where the target knows no environment.

#[cfg(target_os = "wasi")]
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[cfg(not(target_os = "wasi"))]
pub(super) fn variable(name: &str) -> Option<String> {
    let (mut count, mut bytes) = (0, 0);
    // SAFETY: both addresses are those of numbers that live here.
    if unsafe { environ_sizes_get(&mut count, &mut bytes) } != 0 {
        return None;
    }
    let mut places = vec![std::ptr::null_mut::<u8>(); count];
    let mut texts = vec![0; bytes];
    // SAFETY: the two have the sizes that the host asked for.
    if unsafe { environ_get(places.as_mut_ptr(), texts.as_mut_ptr()) } != 0 {
        return None;
    }
    let all = texts.split(|byte| *byte == 0);
    all.filter_map(|text| std::str::from_utf8(text).ok()?.split_once('='))
        .find(|(known, _)| *known == name)
        .map(|(_, value)| value.to_string())
}

#[cfg(not(target_os = "wasi"))]
#[link(wasm_import_module = "wasi_snapshot_preview1")]
extern "C" {
    fn environ_sizes_get(count: *mut usize, bytes: *mut usize) -> u32;
    fn environ_get(places: *mut *mut u8, texts: *mut u8) -> u32;
}
