//! Who may use the listener, under which names, and for how long without reading.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::Request;
use axum::routing::get;
use feedmill::http::auth::{Role, Token, Tokens};
use feedmill::http::hosts::Hosts;
use feedmill::http::listener::{Limits, serve};
use feedmill::http::{Surface, router, routers_apart};
use futures_util::stream;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::{get_with, in_force, surface, surface_of};

/// A site that made its own name resolve to the listener's address.
const EVIL: [(&str, &str); 1] = [("host", "evil.example:8080")];

#[tokio::test]
async fn a_foreign_name_gets_nothing_but_health() {
    let (daemon, _server, open, _soft) = surface(1).await;
    let hosts = Hosts::read(&["mill.example".to_owned()]).unwrap();
    let (main, metrics) = routers_apart(Surface { hosts, ..surface_of(&daemon) });
    for (router, path) in [
        (&open, "/"),
        (&open, "/feeds"),
        (&open, "/v1/articles"),
        (&open, "/v1/openapi.json"),
        (&open, "/metrics"),
        (&main, "/"),
        (&metrics, "/metrics"),
    ] {
        let (status, headers, body) = get_with(router, path, &EVIL).await;
        assert_eq!((status, &headers["content-type"]), (421, &"application/problem+json".parse().unwrap()));
        let body = String::from_utf8(body).unwrap();
        assert!(body.contains("evil.example") && body.contains("http.hosts"), "{path}: {body}");
        assert_eq!(get_with(router, path, &[("host", "10.1.2.3:8080")]).await.0, 200, "{path}");
    }
    for path in ["/healthz", "/readyz"] {
        for router in [&open, &main, &metrics] {
            assert_eq!(get_with(router, path, &EVIL).await.0, 200, "{path}");
        }
    }
    let named = [("host", "mill.example:8080")];
    assert_eq!(get_with(&main, "/v1/articles", &named).await.0, 200);
    assert_eq!(get_with(&metrics, "/metrics", &named).await.0, 200);
    assert_eq!(get_with(&open, "/v1/articles", &named).await.0, 421, "it is not listed there");
}

#[tokio::test]
async fn with_tokens_any_name_will_do() {
    let (daemon, _server, _router, _soft) = surface(1).await;
    let secret = "a reader may come in here";
    let token = Token { name: "reader".to_owned(), role: Role::Read, secret: secret.to_owned().into() };
    let router = router(Surface { tokens: in_force(Tokens::from_iter([token])), ..surface_of(&daemon) });
    let bearer = format!("Bearer {secret}");
    let with_token = [EVIL[0], ("authorization", &*bearer)];
    assert_eq!(get_with(&router, "/v1/articles", &with_token).await.0, 200);
    assert_eq!(get_with(&router, "/v1/articles", &EVIL).await.0, 401);
}

/// Time is paused: the time limit passes as soon as nothing else can happen.
#[tokio::test]
async fn a_form_that_does_not_arrive_is_given_up() {
    let (daemon, _server, _router, _soft) = surface(0).await;
    let secret = "an operator may come in here";
    let token = Token { name: "ada".to_owned(), role: Role::Operator, secret: secret.to_owned().into() };
    let router = router(Surface { tokens: in_force(Tokens::from_iter([token])), ..surface_of(&daemon) });
    tokio::time::pause();
    for path in ["/login", "/feeds"] {
        let begun = stream::once(async { Ok::<_, Infallible>(Bytes::from_static(b"token=")) });
        let form = Body::from_stream(futures_util::StreamExt::chain(begun, stream::pending()));
        let request = Request::post(path)
            .header("authorization", format!("Bearer {secret}"))
            .header("sec-fetch-site", "same-origin")
            .body(form);
        let answer = router.clone().oneshot(request.unwrap()).await.unwrap();
        assert_eq!(answer.status(), 408, "{path}");
    }
}

#[tokio::test]
async fn a_client_that_stops_reading_loses_its_place() {
    let endless = || async {
        let slice = || Ok::<_, Infallible>(Bytes::from_static(&[b'x'; 4096]));
        Body::from_stream(stream::repeat_with(slice))
    };
    let router =
        axum::Router::new().route("/endless", get(endless)).route("/short", get(|| async { "short" }));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let limits = Limits { connections: 1, write_timeout: Duration::from_millis(50), ..Limits::default() };
    let soft = CancellationToken::new();
    let serving = serve(listener, router, limits, soft.clone());
    let asking = async {
        let mut stalled = TcpStream::connect(address).await.unwrap();
        stalled.write_all(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let mut next = TcpStream::connect(address).await.unwrap();
        next.write_all(b"GET /short HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        next.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("short"), "there is one place, and the first client has lost it: {answer}");
        soft.cancel();
        drop(stalled);
    };
    futures_util::future::join(serving, asking).await;
}
