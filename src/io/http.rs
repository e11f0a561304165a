//! The HTTP listener: health, readiness, and the web page.
//!
//! - `/healthz`: 200 while the process runs.
//! - `/readyz`: 200 while the component's handshake is done and nothing is being drained, otherwise
//!   503 with the reasons. Listeners need no mention: the process ends if one cannot be bound. It
//!   also says what the XMPP servers let us do, which is no condition.
//! - `/metrics`: counts, for Prometheus.
//! - `/calls`: the ladders of the last calls, for whoever has the admin token.
//! - `/config.json`: what the page must know of this server; `/.well-known/host-meta` and its `.json`
//!   the part that any client may want (XEP-0156).
//! - everything else: the page, if it was built.
//!
//! Only GET and HEAD are answered, and nobody may hold a connection without asking for something.

mod calls;
mod config;
mod discovery;
mod metrics;
mod page;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tracing::{debug, info, warn};

use super::link::Status;
use crate::gateway::Privileges;
use crate::telemetry::Pii;

pub use calls::Calls;
pub use config::Config;
pub use metrics::Metrics;

/// Whether the process can do its work, as `/readyz` tells it.
#[derive(Clone, Debug)]
pub struct Health {
    link: Option<watch::Receiver<Status>>,
    draining: Arc<AtomicBool>,
    privileges: Arc<Mutex<Privileges>>,
}

/// The bound listener.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
}

impl Health {
    /// `link` is the status of the component's link, if there is a component.
    #[must_use]
    pub fn new(link: Option<watch::Receiver<Status>>) -> Self {
        Self {
            link,
            draining: Arc::default(),
            privileges: Arc::default(),
        }
    }

    /// What the XMPP servers let us do for their people.
    pub fn set_privileges(&self, privileges: Privileges) {
        *self.privileges() = privileges;
    }

    fn privileges(&self) -> MutexGuard<'_, Privileges> {
        self.privileges
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The process is about to end.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Why the process is not ready; nothing if it is.
    #[must_use]
    pub fn reasons(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        if let Some(link) = &self.link {
            match &*link.borrow() {
                Status::Up => {}
                Status::Connecting => reasons.push("connecting to the XMPP server".to_owned()),
                Status::Down(why) => reasons.push(why.clone()),
            }
        }
        if self.is_draining() {
            reasons.push("draining: the process ends when its calls have".to_owned());
        }
        reasons
    }
}

impl Server {
    /// `listener` is bound to `config.listen`, `service` is the component's JID, if there is one, and
    /// `calls` what is kept of calls, if anything is.
    ///
    /// # Errors
    /// The listener has no address.
    pub fn new(
        listener: TcpListener,
        config: &Config,
        service: Option<&str>,
        health: Health,
        metrics: Metrics,
        calls: Option<Calls>,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        info!(listen.addr = %address, "http listening");
        Ok(Self {
            listener,
            address,
            router: router(config, service, health, metrics, calls),
        })
    }

    /// The address, with the port that was chosen.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` is done, then lets go of all connections.
    pub async fn serve(self, stop: impl Future<Output = ()> + Send) {
        let room = Arc::new(Semaphore::new(CONNECTIONS));
        let mut connections = JoinSet::new();
        tokio::pin!(stop);
        loop {
            let Ok(permit) = Arc::clone(&room).acquire_owned().await else {
                return;
            };
            let (tcp, client) = tokio::select! {
                () = &mut stop => return,
                Some(_) = connections.join_next() => continue,
                accepted = self.listener.accept() => match accepted {
                    Ok(accepted) => accepted,
                    Err(error) => {
                        // Out of descriptors, as a rule: trying at once would only spin.
                        warn!(%error, "Accepting an HTTP connection failed");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        continue;
                    }
                },
            };
            let service = TowerToHyperService::new(self.router.clone());
            connections.spawn(async move {
                let served = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(HEADER_TIMEOUT)
                    .max_buf_size(HEADER_BYTES)
                    .serve_connection(TokioIo::new(tcp), service);
                match tokio::time::timeout(CONNECTION_LIFE, served).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => {
                        debug!(client.addr = %Pii(client), %error, "HTTP connection failed");
                    }
                    Err(_) => {
                        debug!(client.addr = %Pii(client), "HTTP connection outlived its time")
                    }
                }
                drop(permit);
            });
        }
    }
}

fn router(
    config: &Config,
    service: Option<&str>,
    health: Health,
    metrics: Metrics,
    calls: Option<Calls>,
) -> Router {
    let page_config = discovery::page_config(config, service);
    // Text of the configuration that no header can hold would have been no URL either.
    let policy = HeaderValue::from_str(&discovery::policy(config))
        .unwrap_or(HeaderValue::from_static("default-src 'none'"));
    let (json, xrd) = (config.clone(), config.clone());
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz).with_state(health.clone()))
        .route(
            "/metrics",
            get(|| async move {
                let head = [
                    (CONTENT_TYPE, "text/plain; version=0.0.4"),
                    (CACHE_CONTROL, "no-store"),
                ];
                (head, metrics.text(&health))
            }),
        )
        .route(
            "/config.json",
            get(|| async move {
                (
                    [
                        (CONTENT_TYPE, "application/json"),
                        (CACHE_CONTROL, "no-cache"),
                    ],
                    page_config,
                )
            }),
        )
        .route(
            "/.well-known/host-meta.json",
            get(|| async move { discovery::host_meta_json(&json) }),
        )
        .route(
            "/.well-known/host-meta",
            get(|| async move { discovery::host_meta(&xrd) }),
        )
        .merge(calls::router(config, calls))
        .fallback_service(get(page::serve))
        .layer(middleware::from_fn_with_state(policy, guard))
}

async fn readyz(State(health): State<Health>) -> Response {
    let reasons = health.reasons();
    let status = if reasons.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let body = {
        let Privileges {
            rosters,
            blocklists,
        } = &*health.privileges();
        json!({
            "ready": reasons.is_empty(),
            "reasons": reasons,
            "privileges": { "rosters": rosters, "blocklists": blocklists },
        })
    };
    let head = [
        (CONTENT_TYPE, "application/json"),
        (CACHE_CONTROL, "no-store"),
    ];
    (status, head, format!("{body}\n")).into_response()
}

/// What every answer carries.
async fn guard(State(policy): State<HeaderValue>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    // Pages that have a stricter one of their own keep it.
    response
        .headers_mut()
        .entry(CONTENT_SECURITY_POLICY)
        .or_insert(policy);
    for (name, value) in GUARDS {
        response.headers_mut().insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    response
}

const GUARDS: [(&str, &str); 5] = [
    ("cross-origin-resource-policy", "same-origin"),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    (
        "permissions-policy",
        "camera=(self), microphone=(self), display-capture=(self), geolocation=()",
    ),
];
/// Connections at a time; more wait to be accepted.
const CONNECTIONS: usize = 512;
/// For a request's head, and between two requests of one connection.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
const HEADER_BYTES: usize = 16 * 1024;
/// Nothing here takes long; whoever reads an answer byte by byte loses his place.
const CONNECTION_LIFE: Duration = Duration::from_mins(2);
