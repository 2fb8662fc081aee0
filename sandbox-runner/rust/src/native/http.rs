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

/// As many as a browser follows.
const MAX_REDIRECTS: usize = 20;

/// Follows redirects, as `fetch` does in the other runtimes.
pub(super) fn fetch(request: &HttpRequest, call: &Call) -> PluginResult<HttpResponse> {
    let mut response = fetch_once(request, call)?;
    let mut asked = request.clone();
    for _ in 0..MAX_REDIRECTS {
        asked = match redirected(&asked, &response) {
            Some(next) => next,
            None => return Ok(response),
        };
        response = fetch_once(&asked, call)?;
    }
    match redirected(&asked, &response) {
        Some(_) => Err(PluginError::failed("fetch failed: redirect count exceeded")),
        None => Ok(response),
    }
}

/// The request that an answer sends its asker to; `None` where it is the answer.
fn redirected(asked: &HttpRequest, response: &HttpResponse) -> Option<HttpRequest> {
    let location = match response.status {
        301 | 302 | 303 | 307 | 308 => response.header("location")?,
        _ => return None,
    };
    let mut next = asked.clone();
    next.url = resolve(&asked.url, location);
    let becomes_get = match response.status {
        303 => asked.method != "GET" && asked.method != "HEAD",
        301 | 302 => asked.method == "POST",
        _ => false,
    };
    if becomes_get {
        next.method = "GET".to_string();
        next.body.clear();
        next.headers
            .retain(|(name, _)| !name.to_ascii_lowercase().starts_with("content-"));
    }
    // What lets one server in is no other's business.
    if authority_of(&next.url).ok() != authority_of(&asked.url).ok() {
        next.headers.retain(|(name, _)| {
            !["authorization", "cookie"].contains(&name.to_ascii_lowercase().as_str())
        });
    }
    Some(next)
}

/// A reference of RFC 3986 (5.2) against an `http:` URL; dots in a path are the server's to understand.
fn resolve(base: &str, reference: &str) -> String {
    let base = base.split('#').next().unwrap_or(base);
    let scheme_end = base.find("://").map_or(0, |at| at + 3);
    let path_start = base[scheme_end..]
        .find(&['/', '?'][..])
        .map_or(base.len(), |at| scheme_end + at);
    let before_query = base.split('?').next().unwrap_or(base);
    let is_absolute = reference
        .find(':')
        .map_or(false, |at| !reference[..at].contains(&['/', '?', '#'][..]));
    if is_absolute {
        reference.to_string()
    } else if reference.starts_with("//") {
        format!("{}{reference}", &base[..scheme_end.saturating_sub(2)])
    } else if reference.starts_with('/') {
        format!("{}{reference}", &base[..path_start])
    } else if reference.starts_with('?') {
        format!("{before_query}{reference}")
    } else {
        let folder = before_query[path_start.min(before_query.len())..]
            .rfind('/')
            .map_or("/", |at| &before_query[path_start..=path_start + at]);
        format!("{}{folder}{reference}", &base[..path_start])
    }
}

fn fetch_once(request: &HttpRequest, call: &Call) -> PluginResult<HttpResponse> {
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
    fn finds_where_a_redirect_leads() {
        for (base, reference, expected) in [
            (
                "http://a.example/b/c?d#e",
                "http://x.example/",
                "http://x.example/",
            ),
            (
                "http://a.example/b/c?d#e",
                "https://x.example/",
                "https://x.example/",
            ),
            (
                "http://a.example/b/c?d#e",
                "//x.example/y",
                "http://x.example/y",
            ),
            (
                "http://a.example/b/c?d#e",
                "/y?u=http://z",
                "http://a.example/y?u=http://z",
            ),
            ("http://a.example/b/c?d/#e", "y", "http://a.example/b/y"),
            ("http://a.example/b/c?d#e", "?y", "http://a.example/b/c?y"),
            ("http://a.example", "y", "http://a.example/y"),
            ("http://a.example?q", "y", "http://a.example/y"),
        ] {
            assert_eq!(resolve(base, reference), expected, "{base} {reference}");
        }
    }

    #[test]
    fn takes_no_secret_and_no_body_to_where_it_is_sent() {
        let moved = |status, location: &str| HttpResponse {
            status,
            headers: vec![("location".to_string(), location.to_string())],
            body: Vec::new(),
        };
        let post = HttpRequest::post("http://a.example/", "x")
            .header("Authorization", "secret")
            .header("Content-Type", "text/plain")
            .header("x", "1");
        let elsewhere = redirected(&post, &moved(302, "http://b.example/")).unwrap();
        assert_eq!(elsewhere.method, "GET");
        assert!(elsewhere.body.is_empty());
        assert_eq!(elsewhere.headers, [("x".to_string(), "1".to_string())]);
        let same = redirected(&post, &moved(307, "/b")).unwrap();
        assert_eq!((same.method.as_str(), same.body.len()), ("POST", 1));
        assert_eq!(same.headers.len(), 3);
        assert!(redirected(&post, &moved(200, "/b")).is_none());
        assert!(redirected(&post, &moved(304, "/b")).is_none());
    }

    #[test]
    fn names_the_port_that_goes_without_saying() {
        assert_eq!(with_port("a.example"), "a.example:80");
        assert_eq!(with_port("a.example:8080"), "a.example:8080");
        assert_eq!(with_port("[::1]"), "[::1]:80");
        assert_eq!(with_port("[::1]:8080"), "[::1]:8080");
    }
}
