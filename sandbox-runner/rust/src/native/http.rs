//! HTTP/1.1 through the daemon's proxy: one request a connection, as small as it can be.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::call::Call;
use crate::error::{PluginError, PluginResult};
use crate::fetch::{HttpRequest, HttpResponse};

/// How often a read that waits looks whether its call is still wanted.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);
const MAX_HEAD_BYTES: usize = 64 * 1024;

pub(super) fn fetch(request: &HttpRequest, call: &Call) -> PluginResult<HttpResponse> {
    let authority = authority_of(&request.url)?;
    let proxy = match ["HTTP_PROXY", "http_proxy"]
        .iter()
        .find_map(|name| call.env(name))
    {
        Some(proxy) => proxy,
        None => return Err(PluginError::denied("Net", with_port(authority))),
    };
    let proxy = proxy.trim_start_matches("http://").trim_end_matches('/');
    let failed =
        |error: io::Error| PluginError::failed(format!("fetch failed: {} ({error})", request.url));
    let mut stream = TcpStream::connect(proxy).map_err(failed)?;
    stream
        .set_read_timeout(Some(LOOK_INTERVAL))
        .map_err(failed)?;
    stream
        .write_all(&bytes_of(request, authority)?)
        .map_err(failed)?;
    let mut received = Vec::new();
    let head_end = loop {
        if let Some(at) = received.windows(4).position(|part| part == b"\r\n\r\n") {
            break at;
        }
        if received.len() > MAX_HEAD_BYTES || !read_some(&mut stream, &mut received, call, failed)?
        {
            return Err(broken(request));
        }
    };
    let body = received.split_off(head_end + 4);
    let (status, headers) = read_head(&received).ok_or_else(|| broken(request))?;
    if status < 200 {
        return Err(broken(request));
    }
    let mut response = HttpResponse {
        status,
        headers,
        body,
    };
    // The connection is closed behind the answer; a length says whether it came whole.
    while read_some(&mut stream, &mut response.body, call, failed)? {}
    let is_chunked = response
        .header("transfer-encoding")
        .map_or(false, |coding| coding.contains("chunked"));
    if is_chunked {
        response.body = unchunked(&response.body).ok_or_else(|| broken(request))?;
    } else if let Some(length) = response.header("content-length") {
        let is_whole = request.method == "HEAD" || length.parse() == Ok(response.body.len());
        if !is_whole {
            return Err(broken(request));
        }
    }
    Ok(response)
}

/// False at the end.
fn read_some(
    stream: &mut TcpStream,
    into: &mut Vec<u8>,
    call: &Call,
    failed: impl Fn(io::Error) -> PluginError,
) -> PluginResult<bool> {
    let mut buffer = [0; 16 * 1024];
    loop {
        if call.is_cancelled() {
            return Err(PluginError::Cancelled);
        }
        match stream.read(&mut buffer) {
            Ok(count) => {
                into.extend_from_slice(&buffer[..count]);
                return Ok(count > 0);
            }
            Err(error) => match error.kind() {
                io::ErrorKind::Interrupted
                | io::ErrorKind::WouldBlock
                | io::ErrorKind::TimedOut => {}
                _ => return Err(failed(error)),
            },
        }
    }
}

fn authority_of(url: &str) -> PluginResult<&str> {
    let rest = match url.strip_prefix("http://") {
        Some(rest) => rest,
        None if url.starts_with("https://") => {
            return Err(PluginError::failed(format!(
                "Cannot fetch \"{url}\": fetch() of a native plugin speaks http: alone. Use a crate with TLS that honours HTTPS_PROXY, such as ureq"
            )))
        }
        None => return Err(PluginError::failed(format!("Cannot fetch \"{url}\": expected a URL that begins with http://"))),
    };
    let end = rest.find(&['/', '?', '#'][..]).unwrap_or(rest.len());
    let authority = &rest[..end];
    let is_harmless = url.bytes().all(|byte| byte > b' ' && byte != 0x7f);
    if authority.is_empty() || authority.contains('@') || !is_harmless {
        return Err(PluginError::failed(format!(
            "Cannot fetch {url:?}: it is no URL with a host"
        )));
    }
    Ok(authority)
}

fn with_port(authority: &str) -> String {
    let host = authority.rsplit(']').next().unwrap_or(authority);
    if host.contains(':') {
        authority.to_string()
    } else {
        format!("{authority}:80")
    }
}

fn bytes_of(request: &HttpRequest, authority: &str) -> PluginResult<Vec<u8>> {
    let HttpRequest {
        method,
        url,
        headers,
        body,
    } = request;
    let url = url.split('#').next().unwrap_or(url);
    let mut head = format!("{method} {url} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let has_body = !body.is_empty() || method == "POST" || method == "PUT";
    if has_body {
        head.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    let lines = 3 + headers.len() + usize::from(has_body);
    let words = method.bytes().all(|byte| byte.is_ascii_graphic());
    // A line break in a header would begin another one.
    if !words || head.matches(&['\r', '\n'][..]).count() != 2 * lines {
        return Err(PluginError::failed(format!(
            "Cannot fetch \"{url}\": a header has a line break in it"
        )));
    }
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body);
    Ok(bytes)
}

fn read_head(head: &[u8]) -> Option<(u16, Vec<(String, String)>)> {
    let head = String::from_utf8_lossy(head);
    let mut lines = head.trim_end().split("\r\n");
    let status = lines
        .next()?
        .strip_prefix("HTTP/1.")?
        .get(2..5)?
        .parse()
        .ok()?;
    let headers = lines.filter_map(|line| line.split_once(':'));
    let headers =
        headers.map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_string()));
    Some((status, headers.collect()))
}

fn unchunked(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|part| part == b"\r\n")?;
        let size = std::str::from_utf8(&rest[..end]).ok()?;
        let size = usize::from_str_radix(size.split(';').next()?.trim(), 16).ok()?;
        rest = &rest[end + 2..];
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size..)?.strip_prefix(b"\r\n")?;
    }
}

fn broken(request: &HttpRequest) -> PluginError {
    PluginError::failed(format!(
        "fetch failed: {} was not answered whole",
        request.url
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_chunks_and_nothing_that_is_cut_off() {
        assert_eq!(
            unchunked(b"3\r\nabc\r\n2;x=1\r\nde\r\n0\r\n\r\n").as_deref(),
            Some(&b"abcde"[..])
        );
        for cut in [&b"3\r\nab"[..], b"3\r\nabc\r\n", b"x\r\n", b""] {
            assert_eq!(unchunked(cut), None);
        }
    }

    #[test]
    fn lets_no_header_begin_another_one() {
        let request = HttpRequest::get("http://a.example/").header("x", "1\r\ny: 2");
        assert!(bytes_of(&request, "a.example").is_err());
        assert!(authority_of("http://a.example/\r\nx: 1").is_err());
        assert!(authority_of("http://user@a.example/").is_err());
    }

    #[test]
    fn names_the_port_that_goes_without_saying() {
        assert_eq!(with_port("a.example"), "a.example:80");
        assert_eq!(with_port("a.example:8080"), "a.example:8080");
        assert_eq!(with_port("[::1]"), "[::1]:80");
        assert_eq!(with_port("[::1]:8080"), "[::1]:8080");
    }
}
