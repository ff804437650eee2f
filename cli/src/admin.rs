//! The address for those who run a process: its figures, whether it lives, and whether it is ready.
//!
//! ```text
//! GET /metrics      figures, in Prometheus' text format
//! GET /healthcheck  200 as long as the process answers
//! GET /ready        200 when it can work, else 503 and why not
//! ```
//!
//! Nobody is asked who they are: the address belongs on a network of the operator's own.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use crate::watch::{self, Watched};

/// The open address. It is closed when this is dropped.
pub(crate) struct Admin {
    serving: AbortHandle,
}

/// The address can't be listened on.
#[derive(Debug, thiserror::Error)]
#[error("can't listen on {address} for those who run the process")]
pub(crate) struct AdminError {
    address: SocketAddr,
    source: std::io::Error,
}

/// Answers on `address` about the process; without an address, nobody is answered. Called within a runtime.
pub(crate) async fn open(
    address: Option<SocketAddr>,
    watched: Arc<Watched>,
) -> Result<Option<Admin>, AdminError> {
    let Some(address) = address else { return Ok(None) };
    let listener = TcpListener::bind(address).await.map_err(|source| AdminError { address, source })?;
    let routes = Router::new()
        .route("/metrics", get(metrics))
        .route("/healthcheck", get(async || "OK\n"))
        .route("/ready", get(ready))
        .with_state(watched);
    let serving = tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, routes).await {
            tracing::error!(%error, "the admin address isn't answered any more");
        }
    });
    Ok(Some(Admin { serving: serving.abort_handle() }))
}

async fn metrics(State(watched): State<Arc<Watched>>) -> impl IntoResponse {
    ([(CONTENT_TYPE, watch::CONTENT_TYPE)], watched.figures().await)
}

async fn ready(State(watched): State<Arc<Watched>>) -> (StatusCode, String) {
    match watched.readiness().await {
        Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
