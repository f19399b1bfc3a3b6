//! The requests that go out and what is made of the answers, byte by byte.

use crate::support::server::{Reply, Server};

#[tokio::test]
async fn the_scripted_server_repeats_its_last_reply() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let server = Server::start().await;
    server.respond("/feed", Reply::ok("text/xml", "<rss/>").header("ETag", "\"1\""));
    server.respond("/feed", Reply::status(304));
    let mut stream = tokio::net::TcpStream::connect(server.address()).await.unwrap();
    for expected in ["200 OK", "304 Not Modified", "304 Not Modified"] {
        stream.write_all(b"GET /feed?x=1 HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        let mut answer = [0; 1024];
        let length = stream.read(&mut answer).await.unwrap();
        assert!(String::from_utf8_lossy(&answer[..length]).starts_with(&format!("HTTP/1.1 {expected}")));
    }
    server.arrived("/feed", 3).await;
    assert_eq!(server.connections(), 1);
    assert_eq!(server.requests("/feed")[2].header("HOST"), Some("a"));
}
