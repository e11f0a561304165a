//! The web page inside the binary.

use std::sync::LazyLock;

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use data_encoding::HEXLOWER;

/// The file at `uri`, `index.html` for a folder.
pub(super) async fn serve(uri: Uri, headers: HeaderMap) -> Response {
    answer(&PAGE, uri.path(), &headers)
}

fn answer(page: &'static [File], path: &str, headers: &HeaderMap) -> Response {
    if page.is_empty() && matches!(path, "/" | "/index.html") {
        return (
            StatusCode::OK,
            [(CONTENT_TYPE, "text/plain; charset=utf-8")],
            NOT_BUILT,
        )
            .into_response();
    }
    let Some(file) = find(page, path) else {
        return (StatusCode::NOT_FOUND, "not found\n").into_response();
    };
    let unchanged = headers
        .get(IF_NONE_MATCH)
        .is_some_and(|known| known.as_bytes() == file.etag.as_bytes());
    let head = [
        (CONTENT_TYPE, content_type(file.path)),
        // Always asked for, seldom sent: a new binary's page is seen at once.
        (CACHE_CONTROL, "no-cache"),
        (ETAG, file.etag.as_str()),
    ];
    if unchanged {
        (StatusCode::NOT_MODIFIED, head).into_response()
    } else {
        (head, Body::from(file.bytes)).into_response()
    }
}

struct File {
    path: &'static str,
    bytes: &'static [u8],
    etag: String,
}

fn find(page: &'static [File], path: &str) -> Option<&'static File> {
    let index;
    let path = if path.ends_with('/') {
        index = format!("{path}index.html");
        &index
    } else {
        path
    };
    let at = page.binary_search_by(|file| file.path.cmp(path)).ok()?;
    page.get(at)
}

fn content_type(path: &str) -> &'static str {
    let name = path.rsplit('/').next().unwrap_or_default();
    match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "css" => "text/css; charset=utf-8",
        "gif" => "image/gif",
        "html" => "text/html; charset=utf-8",
        "ico" => "image/x-icon",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "json" | "map" => "application/json",
        "mp3" => "audio/mpeg",
        "ogg" => "audio/ogg",
        "png" => "image/png",
        "svg" => "image/svg+xml",
        "txt" | "md" => "text/plain; charset=utf-8",
        "wasm" => "application/wasm",
        "wav" => "audio/wav",
        "webmanifest" => "application/manifest+json",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}

/// Sorted by path, as `build.rs` wrote it.
static PAGE: LazyLock<Vec<File>> = LazyLock::new(|| {
    FILES
        .iter()
        .map(|(path, bytes)| {
            let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
            let short = digest.as_ref().get(..8).unwrap_or_default();
            File {
                path,
                bytes,
                etag: format!("\"{}\"", HEXLOWER.encode(short)),
            }
        })
        .collect()
});

static FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/page.rs"));

const NOT_BUILT: &str = "\
Campana runs, but this binary was built without the web page.

To have it, build the page first and the binary again:

    cd web && npm ci && npm run build && cd .. && cargo build --release

What else is here works either way: /healthz and /readyz, /metrics for Prometheus, /calls for operators
where http.admin_token is set, /config.json and /.well-known/host-meta for apps.
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_what_browsers_demand_under_nosniff() {
        assert_eq!(content_type("/a/b.js"), "text/javascript; charset=utf-8");
        assert_eq!(content_type("/index.html"), "text/html; charset=utf-8");
        assert_eq!(content_type("/style.css"), "text/css; charset=utf-8");
        assert_eq!(content_type("/LICENSE"), "application/octet-stream");
        assert_eq!(content_type("/v1.2/LICENSE"), "application/octet-stream");
    }

    #[test]
    fn a_binary_without_the_page_says_how_to_have_it() {
        let none = HeaderMap::new();
        let root = answer(&[], "/", &none);
        assert_eq!(root.status(), StatusCode::OK);
        assert_eq!(root.headers()[CONTENT_TYPE], "text/plain; charset=utf-8");
        assert!(NOT_BUILT.contains("npm run build"));
        assert_eq!(
            answer(&[], "/app.js", &none).status(),
            StatusCode::NOT_FOUND
        );
    }

    #[test]
    fn the_table_is_sorted_as_the_search_needs_it() {
        assert!(FILES.is_sorted_by_key(|(path, _)| *path));
    }
}
