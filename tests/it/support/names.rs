//! A name server on loopback: every name resolves to 127.0.0.1, except names with a label that begins with `hangs`, which get no
//! answer, and with one that begins with `none`, which do not exist.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::net::UdpSocket;

/// A running name server. Stops when dropped.
pub(crate) struct NameServer {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    answering: tokio::task::JoinHandle<()>,
}

impl NameServer {
    /// Listens on a free port.
    #[expect(clippy::disallowed_methods, reason = "no `Lifecycle` in a test's server; `drop` ends the task")]
    pub(crate) async fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let answering = tokio::spawn(answer(socket, Arc::clone(&asked)));
        Self { address, asked, answering }
    }

    /// The listening address.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns how often a name was queried, with any record type.
    pub(crate) fn asked(&self, name: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|asked| asked.eq_ignore_ascii_case(name)).count()
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.answering.abort();
    }
}

async fn answer(socket: UdpSocket, asked: Arc<Mutex<Vec<String>>>) {
    let mut question = [0; 512];
    while let Ok((length, from)) = socket.recv_from(&mut question).await {
        let (name, end) = name(&question[HEADER..length]);
        let is = |kind: &str| name.split('.').any(|label| label.starts_with(kind));
        let question = &question[..HEADER + end + 4];
        let reply = if is("hangs") {
            None
        } else if is("none") {
            Some(denial(question, NO_SUCH_NAME))
        } else {
            Some(reply(question))
        };
        asked.lock().unwrap().push(name);
        if let Some(reply) = reply {
            // The resolver may have stopped listening.
            socket.send_to(&reply, from).await.unwrap_or_default();
        }
    }
}

/// Length of a message's header in bytes.
const HEADER: usize = 12;

/// Reads the name at the beginning; returns it with its encoded length in bytes.
fn name(question: &[u8]) -> (String, usize) {
    let (mut labels, mut at) = (Vec::new(), 0);
    while question[at] > 0 {
        let end = at + 1 + usize::from(question[at]);
        labels.push(String::from_utf8_lossy(&question[at + 1..end]).into_owned());
        at = end;
    }
    (labels.join("."), at + 1)
}

/// Builds the reply to a query: an address for type A, no record for other types.
fn reply(question: &[u8]) -> Vec<u8> {
    let is_a = question[question.len() - 4..].starts_with(&[0, 1]);
    if !is_a {
        return denial(question, NO_ERROR);
    }
    let mut reply = question.to_vec();
    // Flags: response, recursion available; one question, one answer.
    reply[2..HEADER].copy_from_slice(&[0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
    // Pointer to the name above, type A, class IN, TTL 60 s, four bytes.
    reply.extend([0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
    reply
}

/// Response codes.
const NO_ERROR: u8 = 0;
const NO_SUCH_NAME: u8 = 3;

/// Builds the reply that there is no such record or name, which holds for 60 s.
fn denial(question: &[u8], code: u8) -> Vec<u8> {
    let mut reply = question.to_vec();
    // Flags: response, recursion available; one question, one record of authority.
    reply[2..HEADER].copy_from_slice(&[0x81, 0x80 | code, 0, 1, 0, 0, 0, 1, 0, 0]);
    // Pointer to the name above, type SOA, class IN, TTL 60 s, 22 bytes: two empty names, serial, refresh, retry, expire, minimum.
    reply.extend([0xC0, 12, 0, 6, 0, 1, 0, 0, 0, 60, 0, 22, 0, 0]);
    reply.extend([1_u32, 60, 60, 60, 60].iter().flat_map(|number| number.to_be_bytes()));
    reply
}
