//! What the page, and any client of the domain, must know to connect.

use axum::http::StatusCode;
use axum::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::Config;
use crate::xml::Writer;

/// `/config.json`: what the page must know of this server. `service` is the component's JID.
pub(super) fn page_config(config: &Config, service: Option<&str>) -> String {
    let domain = domain(config, service);
    let guests = match config.guests.as_deref() {
        Some("") => None,
        Some(host) => Some(host.to_owned()),
        None => domain.map(|domain| format!("guest.{domain}")),
    };
    let mut told = json!({
        "service": service,
        "domain": domain,
        "guests": guests,
        "websocket": config.websocket,
        "bosh": config.bosh,
    });
    if let Some(map) = told.as_object_mut() {
        map.retain(|_, value| !value.is_null());
    }
    format!("{told}\n")
}

/// The Content-Security-Policy of every answer: scripts and styles of our own only, and no other
/// servers than the XMPP server.
pub(super) fn policy(config: &Config) -> String {
    let known: Vec<_> = [&config.websocket, &config.bosh]
        .into_iter()
        .flatten()
        .map(|url| source(url))
        .collect();
    // Where the XMPP server is not named here the page asks the person's domain (XEP-0156).
    let servers = if known.is_empty() {
        "https: wss:".to_owned()
    } else {
        known.join(" ")
    };
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
         media-src 'self' blob:; connect-src 'self' {servers}; base-uri 'none'; \
         frame-ancestors 'none'; form-action 'none'"
    )
}

/// `/.well-known/host-meta.json` (XEP-0156 §3.2), for a proxy that shows it under the domain's name.
pub(super) fn host_meta_json(config: &Config) -> Response {
    let links: Vec<_> = links(config)
        .map(|(rel, href)| json!({ "rel": rel, "href": href }))
        .collect();
    if links.is_empty() {
        return (StatusCode::NOT_FOUND, "not found\n").into_response();
    }
    let body = format!("{}\n", json!({ "links": links }));
    told("application/json", body)
}

/// `/.well-known/host-meta`, the same as XRD (XEP-0156 §3.1).
pub(super) fn host_meta(config: &Config) -> Response {
    let mut links = links(config).peekable();
    if links.peek().is_none() {
        return (StatusCode::NOT_FOUND, "not found\n").into_response();
    }
    let mut xrd = Writer::new("");
    xrd.open("XRD", NS_XRD);
    for (rel, href) in links {
        xrd.open("Link", NS_XRD).attr("rel", rel);
        xrd.attr("href", href).close();
    }
    let head = "<?xml version='1.0' encoding='utf-8'?>";
    told("application/xrd+xml", format!("{head}\n{}\n", xrd.finish()))
}

/// Only encrypted ones: whoever discovers them can check nothing else.
fn links(config: &Config) -> impl Iterator<Item = (&'static str, &str)> {
    let secure = |url: &&str| url.starts_with("wss://") || url.starts_with("https://");
    [
        (
            "urn:xmpp:alt-connections:websocket",
            config.websocket.as_deref(),
        ),
        ("urn:xmpp:alt-connections:xbosh", config.bosh.as_deref()),
    ]
    .into_iter()
    .filter_map(move |(rel, url)| Some((rel, url.filter(secure)?)))
}

/// By habit a component is a subdomain of the people's domain.
fn domain<'a>(config: &'a Config, service: Option<&'a str>) -> Option<&'a str> {
    config
        .domain
        .as_deref()
        .or_else(|| Some(service?.split_once('.')?.1))
}

/// Scheme and authority, as a source of the policy (CSP3 §2.3.1).
fn source(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or((url, ""));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-:".contains(c);
    // An IPv6 literal, or a name in letters of its own, is no host-source: the scheme has to do.
    if authority.is_empty() || !authority.chars().all(plain) {
        format!("{scheme}:")
    } else {
        format!("{scheme}://{authority}")
    }
}

fn told(content_type: &'static str, body: String) -> Response {
    let head = [
        (CONTENT_TYPE, content_type),
        (CACHE_CONTROL, "no-cache"),
        // XEP-0156 §3: for clients of any origin.
        (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    ];
    (head, body).into_response()
}

const NS_XRD: &str = "http://docs.oasis-open.org/ns/xri/xrd-1.0";
