//! `/calls` and `/calls/N`: the ladders of the last calls, for whoever has the admin token.
//!
//! The token is a bearer's (RFC 6750 §2.1) or, for browsers, the password of any user name
//! (RFC 7617 §2). Without a token in the configuration there are no such pages. `.json` behind a
//! path, or `Accept: application/json`, gives the same as JSON.

mod page;
mod token;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::header::{
    ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, WWW_AUTHENTICATE,
};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;
use serde_json::json;

use self::token::Token;
use super::Config;
use crate::ladder::{Ladders, Record, Relayed};

/// The ladders, shared by whoever fills them and whoever shows them.
#[derive(Clone, Debug)]
pub struct Calls(Arc<Mutex<Ladders>>);

impl Calls {
    /// Shares these.
    #[must_use]
    pub fn new(ladders: Ladders) -> Self {
        Self(Arc::new(Mutex::new(ladders)))
    }

    /// Keeps one step of one call.
    pub fn record(&self, record: Record) {
        self.ladders().record(record);
    }

    /// Adds what TURN relayed to the calls it was for.
    pub fn relayed(&self, now: Instant, relayed: &Relayed) {
        self.ladders().relayed(now, relayed);
    }

    fn ladders(&self) -> MutexGuard<'_, Ladders> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The routes; none without a token.
pub(super) fn router(config: &Config, calls: Option<Calls>) -> Router {
    let Some((calls, token)) = calls.zip(config.token().map(Token::new)) else {
        return Router::new();
    };
    Router::new()
        .route("/calls", get(list))
        .route("/calls.json", get(list))
        .route("/calls/{call}", get(one))
        .with_state(calls)
        .layer(middleware::from_fn_with_state(Arc::new(token), admit))
}

async fn list(State(calls): State<Calls>, uri: Uri, headers: HeaderMap) -> Response {
    let person = uri.query().and_then(person);
    let lines = calls.ladders().list(person.as_deref());
    if uri.path().ends_with(".json") || wants_json(&headers) {
        told(&json!({ "calls": lines }), None)
    } else {
        html(page::list(&lines, person.is_some()))
    }
}

async fn one(State(calls): State<Calls>, Path(call): Path<String>, headers: HeaderMap) -> Response {
    let (number, is_json) = match call.strip_suffix(".json") {
        Some(number) => (number, true),
        None => (call.as_str(), wants_json(&headers)),
    };
    let ladders = calls.ladders();
    let Some(ladder) = number.parse().ok().and_then(|number| ladders.get(number)) else {
        return (StatusCode::NOT_FOUND, "no such call is kept\n").into_response();
    };
    if !is_json {
        return html(page::one(ladder));
    }
    let body = json!({
        "call": ladder.line(),
        "sid": ladder.sid(),
        "parties": ladder.parties(),
        "steps": ladder.steps(),
        "left_out": ladder.left_out(),
    });
    told(&body, Some(ladder.number()))
}

/// Lets nobody pass without the token.
async fn admit(State(token): State<Arc<Token>>, request: Request, next: Next) -> Response {
    let given = request.headers().get(AUTHORIZATION);
    if given.is_some_and(|given| token.admits(given.as_bytes())) {
        return next.run(request).await;
    }
    let head = [
        (
            WWW_AUTHENTICATE,
            "Basic realm=\"Campana\", charset=\"UTF-8\"",
        ),
        (CACHE_CONTROL, "no-store"),
    ];
    let text = "the admin token is needed: http.admin_token of the configuration\n";
    (StatusCode::UNAUTHORIZED, head, text).into_response()
}

fn html(body: String) -> Response {
    let head = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
        (CONTENT_SECURITY_POLICY, page::POLICY.as_str()),
    ];
    (head, body).into_response()
}

/// JSON, as a download if it is of one call.
fn told(body: &impl Serialize, call: Option<u64>) -> Response {
    let body = serde_json::to_string_pretty(body).unwrap_or_default();
    let head = [
        (CONTENT_TYPE, "application/json"),
        (CACHE_CONTROL, "no-store"),
    ];
    let mut response = (head, body + "\n").into_response();
    if let Some(call) = call
        && let Ok(name) = format!("inline; filename=\"call-{call}.json\"").parse()
    {
        response.headers_mut().insert(CONTENT_DISPOSITION, name);
    }
    response
}

fn wants_json(headers: &HeaderMap) -> bool {
    let accepted = headers
        .get(ACCEPT)
        .and_then(|accepted| accepted.to_str().ok());
    accepted.is_some_and(|accepted| accepted.starts_with("application/json"))
}

/// `person=juliet%40example.org`.
fn person(query: &str) -> Option<String> {
    let value = query
        .split('&')
        .find_map(|field| field.strip_prefix("person="))?;
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || (rest.next()? as char).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes)
        .ok()
        .filter(|person| !person.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_person_asked_for_is_read_from_the_query() {
        let read = |query| person(query).unwrap_or_default();
        assert_eq!(
            read("a=1&person=juliet%40example.org"),
            "juliet@example.org"
        );
        assert_eq!(read("person=a+b"), "a b");
        assert_eq!(read("person=%C3%A9"), "é");
        for none in [
            "",
            "person=",
            "person=+",
            "person=%4",
            "person=%zz",
            "person=%ff",
        ] {
            assert_eq!(person(none), None, "{none}");
        }
    }
}
