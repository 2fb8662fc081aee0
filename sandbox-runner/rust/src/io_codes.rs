//! Names and words of the errors that a file's path meets, as the other runtimes of the system write them.

/// Of Linux; wasi-libc translates to other numbers, and there the name comes from the host.
const CODES: &[(i32, &str, &str)] = &[
    (1, "EPERM", "operation not permitted"),
    (2, "ENOENT", "no such file or directory"),
    (5, "EIO", "i/o error"),
    (11, "EAGAIN", "resource temporarily unavailable"),
    (12, "ENOMEM", "not enough memory"),
    (13, "EACCES", "permission denied"),
    (16, "EBUSY", "resource busy or locked"),
    (17, "EEXIST", "file already exists"),
    (18, "EXDEV", "cross-device link not permitted"),
    (20, "ENOTDIR", "not a directory"),
    (21, "EISDIR", "illegal operation on a directory"),
    (22, "EINVAL", "invalid argument"),
    (23, "ENFILE", "file table overflow"),
    (24, "EMFILE", "too many open files"),
    (27, "EFBIG", "file too large"),
    (28, "ENOSPC", "no space left on device"),
    (30, "EROFS", "read-only file system"),
    (36, "ENAMETOOLONG", "name too long"),
    (39, "ENOTEMPTY", "directory not empty"),
    (40, "ELOOP", "too many symbolic links encountered"),
    (122, "EDQUOT", "disk quota exceeded"),
];

/// Of WASI preview 1.
#[cfg(target_os = "wasi")]
const WASI_CODES: &[(i32, &str)] = &[
    (2, "EACCES"),
    (20, "EEXIST"),
    (22, "EFBIG"),
    (28, "EINVAL"),
    (29, "EIO"),
    (31, "EISDIR"),
    (32, "ELOOP"),
    (33, "EMFILE"),
    (37, "ENAMETOOLONG"),
    (44, "ENOENT"),
    (51, "ENOSPC"),
    (54, "ENOTDIR"),
    (55, "ENOTEMPTY"),
    (63, "EPERM"),
    (69, "EROFS"),
    // "Capabilities insufficient": nothing of that name was granted.
    (76, "EACCES"),
];

#[cfg(target_os = "wasi")]
pub(crate) fn code_of(number: i32) -> Option<&'static str> {
    let found = WASI_CODES.iter().find(|(known, _)| *known == number);
    found.map(|(_, code)| *code)
}

#[cfg(not(target_os = "wasi"))]
pub(crate) fn code_of(number: i32) -> Option<&'static str> {
    let found = CODES.iter().find(|(known, _, _)| *known == number);
    found.map(|(_, code, _)| *code)
}

pub(crate) fn words_of(code: &str) -> Option<&'static str> {
    let found = CODES.iter().find(|(_, known, _)| *known == code);
    found.map(|(_, _, words)| *words)
}
