//! Accepting connections, and stopping without cutting anybody off who can finish in time.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tower::ServiceExt;

use super::budget::Payer;
use super::open::{Open, OpenCounts};
use super::peer::{Peer, TrustedProxies};
use super::settings::ConnectionSettings;
use super::site::ByProxy;
use super::write_time::WriteTime;

/// From a connection's opening, or the end of its last request, to the end of the next request's
/// head: bounds idle and deliberately slow clients. Longer than the 60 s after which the usual
/// proxies drop idle connections to their upstream, so that the proxy closes first.
const HEAD_TIME_MAX: Duration = Duration::from_secs(75);

/// Buffer of a connection, in bytes, and so the size of a request's head; a GET's document of
/// 16 KiB fits in it when percent-encoded.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Pause after a failed accept: usually the process is out of file descriptors, and trying again
/// at once would only burn the processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Tells everything that serves to stop, and counts what has not stopped yet. Cheap to clone.
#[derive(Clone)]
pub struct Shutdown {
    token: CancellationToken,
    tasks: TaskTracker,
}

impl Shutdown {
    /// Stops when `token` is canceled.
    pub fn on(token: CancellationToken) -> Self {
        Self { token, tasks: TaskTracker::new() }
    }

    /// Connections and sockets that have not ended.
    pub fn running_count(&self) -> usize {
        self.tasks.len()
    }

    pub(super) fn token(&self) -> CancellationToken {
        self.token.clone()
    }

    /// Counts as running until dropped.
    pub(super) fn running(&self) -> TaskTrackerToken {
        self.tasks.token()
    }
}

/// Serves `router` on `listener` until `shutdown`, then stops accepting, lets running requests end,
/// closes sockets and streams, and returns after `settings.drain_time_max` at the latest.
///
/// # Errors
/// If the listener has no local address, which means that it is not a listener.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    settings: ConnectionSettings,
    shutdown: Shutdown,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    tracing::info!(server.address = %address, "serving");
    let door = Arc::new(Door {
        router,
        open: OpenCounts::new(settings.connections_per_address_max),
        proxies: TrustedProxies(settings.trusted_proxies),
        write_time_max: settings.write_time_max,
        stop: shutdown.token(),
    });
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => match door.let_in(peer.ip()) {
                    Ok(open) => {
                        let connection = Arc::clone(&door).connection(stream, peer.ip(), open);
                        shutdown.tasks.spawn(connection);
                    }
                    // Closed unread: an answer would cost what the cap is to save.
                    Err(TooMany) => {
                        metrics::counter!("http_connections_refused_total").increment(1);
                    }
                },
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            () = shutdown.token.cancelled() => break,
        }
    }
    drop(listener);
    shutdown.tasks.close();
    let left = shutdown.tasks.len();
    tracing::info!(connections = left, "draining");
    if tokio::time::timeout(settings.drain_time_max, shutdown.tasks.wait()).await.is_err() {
        tracing::warn!(connections = shutdown.tasks.len(), "stopped before all had ended");
    }
    Ok(())
}

/// What every connection goes through.
struct Door {
    router: Router,
    open: OpenCounts,
    proxies: TrustedProxies,
    write_time_max: Duration,
    stop: CancellationToken,
}

/// The address has as many connections as it may.
struct TooMany;

impl Door {
    /// A place among the address's connections; a trusted proxy needs none, for it brings those of
    /// many clients.
    fn let_in(&self, peer: IpAddr) -> Result<Option<Open>, TooMany> {
        if self.proxies.has(peer) {
            return Ok(None);
        }
        self.open.open(Payer::of_peer(Peer(Some(peer)))).map(Some).ok_or(TooMany)
    }

    async fn connection(self: Arc<Self>, stream: TcpStream, peer: IpAddr, open: Option<Open>) {
        // With Nagle's algorithm on, a small answer waits for the client's delayed acknowledgment.
        let _ = stream.set_nodelay(true);
        let stream = WriteTime::new(stream, self.write_time_max, open);
        let stop = self.stop.clone();
        // Not `router.layer`, which would build every route anew for each connection and keep it.
        let service = service_fn(move |mut request: http::Request<Incoming>| {
            let client = Peer(Some(self.proxies.client(peer, request.headers())));
            request.extensions_mut().insert(client);
            if self.proxies.has(peer) {
                request.extensions_mut().insert(ByProxy);
            }
            self.router.clone().oneshot(request.map(Body::new))
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIME_MAX)
            .max_buf_size(HEAD_BYTES_MAX)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        let mut connection = std::pin::pin!(connection);
        let outcome = tokio::select! {
            outcome = connection.as_mut() => outcome,
            () = stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = outcome {
            tracing::debug!(%error, "a connection broke");
        }
    }
}
