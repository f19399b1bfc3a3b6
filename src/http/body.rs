//! Bodies of requests.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::StatusCode;

/// The maximum time for receiving a body, however its client divides it.
pub(super) const TIMEOUT: Duration = Duration::from_secs(30);

/// Receives a body of at most `max_bytes`. The error is the status of the response.
pub(super) async fn receive(body: Body, max_bytes: usize) -> Result<Bytes, StatusCode> {
    match tokio::time::timeout(TIMEOUT, axum::body::to_bytes(body, max_bytes)).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(_)) => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::stream;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_body_that_trickles_is_given_up_and_one_that_is_too_large_is_refused() {
        let byte = || Ok::<_, Infallible>(Bytes::from_static(b"a"));
        let trickle = stream::unfold((), |()| async {
            tokio::time::sleep(TIMEOUT / 10).await;
            Some((Ok::<_, Infallible>(Bytes::from_static(b"a")), ()))
        });
        assert_eq!(receive(Body::from_stream(trickle), 1 << 20).await, Err(StatusCode::REQUEST_TIMEOUT));
        let two = || Body::from_stream(stream::iter([byte(), byte()]));
        assert_eq!(receive(two(), 1).await, Err(StatusCode::PAYLOAD_TOO_LARGE));
        assert_eq!(receive(two(), 2).await, Ok(Bytes::from_static(b"aa")));
    }
}
