//! Accepts connections and serves HTTP on them, until the server stops. Knows nothing of what is
//! served.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How long a peer may take to the end of a request's headers, and to the next request.
pub(crate) const HEADERS_DEADLINE: Duration = Duration::from_secs(30);
/// HTTP connections at the same time, WebSockets not counted; more wait to be accepted.
const HTTP_CONNECTIONS_MAX: usize = 4096;
/// What to wait when no connection can be accepted, as when there are too many open files.
const ACCEPT_AGAIN: Duration = Duration::from_millis(500);

/// Ends once `stopping` is cancelled and every request is answered. Dropped, it cuts off the rest.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    stopping: CancellationToken,
    headers_deadline: Duration,
) {
    let places = Arc::new(Semaphore::new(HTTP_CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = stopping.cancelled() => break,
            Some(_) = connections.join_next() => continue,
            accepted = accept(&listener, &places) => accepted,
        };
        match accepted {
            Ok((stream, peer, place)) => {
                let (router, stopping) = (router.clone(), stopping.clone());
                let served = connection(stream, peer, router, stopping, headers_deadline);
                connections.spawn(async move {
                    let _held_to_the_end = place;
                    served.await;
                });
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::error!(%error, "cannot accept connections");
                tokio::time::sleep(ACCEPT_AGAIN).await;
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    // Acks are small and must not wait for company.
    stream.set_nodelay(true)?;
    Ok((stream, peer, place))
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    stopping: CancellationToken,
    headers_deadline: Duration,
) {
    let service = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        service.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(headers_deadline)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "an HTTP connection broke");
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::InvalidInput
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::time::timeout;

    const PATIENCE: Duration = Duration::from_secs(10);

    async fn served(router: Router) -> (std::net::SocketAddr, CancellationToken, JoinSet<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stopping = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, router, stopping.clone(), Duration::from_millis(100)));
        (address, stopping, tasks)
    }

    #[tokio::test]
    async fn a_peer_that_opens_and_says_nothing_or_only_half_is_cut_off() {
        let (address, _, _tasks) = served(Router::new()).await;
        for said in [&b""[..], b"GET / HTTP/1.1\r\nHost: here\r\nX-Slow: "] {
            let mut peer = TcpStream::connect(address).await.unwrap();
            peer.write_all(said).await.unwrap();
            let mut answer = Vec::new();
            timeout(PATIENCE, peer.read_to_end(&mut answer)).await.unwrap().unwrap();
        }
    }

    #[tokio::test]
    async fn a_stop_answers_what_was_asked_and_takes_nothing_new() {
        let asked = CancellationToken::new();
        let handler = {
            let asked = asked.clone();
            async move || {
                asked.cancel();
                tokio::time::sleep(Duration::from_millis(50)).await;
                "answered"
            }
        };
        let (address, stopping, mut tasks) = served(Router::new().route("/", get(handler))).await;
        let mut peer = TcpStream::connect(address).await.unwrap();
        peer.write_all(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n").await.unwrap();
        asked.cancelled().await;
        stopping.cancel();
        let mut answer = String::new();
        timeout(PATIENCE, peer.read_to_string(&mut answer)).await.unwrap().unwrap();
        assert!(answer.ends_with("answered"), "{answer}");
        timeout(PATIENCE, tasks.join_next()).await.unwrap().unwrap().unwrap();
        assert!(TcpStream::connect(address).await.is_err());
    }
}
