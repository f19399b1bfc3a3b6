//! NATS servers with JetStream: the one that all tests share, and ones with TLS that require a login.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};

use async_nats::ConnectOptions;
use async_nats::jetstream::{self, stream::Stream};
use serde_json::Value;
use tempfile::TempDir;

/// URL of the NATS server on which tests may create streams.
const VARIABLE: &str = "FEEDMILL_TEST_NATS_URL";

/// Returns the shared server's URL; if there is none, prints a note and returns `None`; panics if `CI` is set.
pub(crate) fn server() -> Option<String> {
    let server = std::env::var(VARIABLE).ok();
    if server.is_none() {
        assert!(std::env::var("CI").is_err(), "{VARIABLE} is not set, and this is CI");
        eprintln!("SKIPPED on NATS: {VARIABLE} is not set");
    }
    server
}

/// A unique name for a stream.
pub(crate) fn name() -> String {
    format!("test{:016x}", rand::random::<u64>())
}

/// Returns a stream of the shared server.
pub(crate) async fn stream(server: &str, name: &str) -> Stream {
    stream_of(ConnectOptions::new(), server, name).await
}

/// Returns the subjects and positions of a stream's messages, in order.
pub(crate) async fn messages(stream: &Stream) -> Vec<(String, i64)> {
    let mut messages = Vec::new();
    for sequence in 1..=stream.cached_info().state.last_sequence {
        let message = stream.get_raw_message(sequence).await.unwrap();
        let record: Value = serde_json::from_slice(&message.payload).unwrap();
        messages.push((message.subject.to_string(), record["seq"].as_i64().unwrap()));
    }
    messages
}

async fn stream_of(options: ConnectOptions, server: &str, name: &str) -> Stream {
    let client = options.connect(server).await.unwrap();
    jetstream::new(client).get_stream(name).await.unwrap()
}

/// The configuration of a server whose operator accepts only users that an account signed, such as that of
/// [`Guarded::credentials`].
pub(crate) const SIGNED: &str = include_str!("nats/operator.conf");

/// A server with a certificate of an authority that nobody knows, which requires a login. Stops when dropped.
pub(crate) struct Guarded {
    process: Child,
    port: u16,
    folder: TempDir,
    /// Where it logs; kept open because it ends if it cannot log.
    _log: BufReader<ChildStderr>,
}

impl Guarded {
    /// Starts one that has `logins`, a part of a server's configuration.
    pub(crate) fn start(logins: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        authority(folder.path(), "ca");
        authority(folder.path(), "other");
        let names = "basicConstraints = critical,CA:FALSE\nsubjectAltName = IP:127.0.0.1";
        certify(folder.path(), "server", names, &["-CA", "ca.pem", "-CAkey", "ca.key"]);
        let config = format!(
            "listen: \"127.0.0.1:-1\"\njetstream {{ store_dir: \"{}\" }}\ntls {{ cert_file: \"{}\", key_file: \"{}\" }}\n{logins}\n",
            path("streams"),
            path("server.pem"),
            path("server.key"),
        );
        fs::write(path("server.conf"), config).unwrap();
        fs::write(path("user.creds"), include_str!("nats/user.creds")).unwrap();
        let mut process = Command::new("nats-server")
            .arg("--config")
            .arg(path("server.conf"))
            .stderr(Stdio::piped())
            .spawn()
            .expect("nats-server is installed: scripts/test installs it");
        let mut log = BufReader::new(process.stderr.take().unwrap());
        let (mut said, mut port) = (String::new(), None);
        loop {
            let mut line = String::new();
            assert!(log.read_line(&mut line).unwrap() > 0, "it ended: {said}");
            if let Some((_, address)) = line.split_once("Listening for client connections on ") {
                port = address.trim().rsplit_once(':').and_then(|(_, port)| port.parse().ok());
            }
            if line.contains("Server is ready") {
                break;
            }
            said.push_str(&line);
        }
        Self { process, port: port.expect("it says where it listens"), folder, _log: log }
    }

    pub(crate) fn url(&self) -> String {
        format!("tls://127.0.0.1:{}", self.port)
    }

    /// The certificate of the authority that signed its certificate.
    pub(crate) fn authority(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// The certificate of an authority that signed nothing.
    pub(crate) fn other_authority(&self) -> PathBuf {
        self.folder.path().join("other.pem")
    }

    /// The credentials of a user that it accepts if it is [`SIGNED`].
    pub(crate) fn credentials(&self) -> PathBuf {
        self.folder.path().join("user.creds")
    }

    /// Returns a stream of it, to who logs in by `login`.
    pub(crate) async fn stream(&self, login: ConnectOptions, name: &str) -> Stream {
        stream_of(login.add_root_certificates(self.authority()), &self.url(), name).await
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

fn authority(folder: &Path, name: &str) {
    certify(folder, name, "basicConstraints = critical,CA:TRUE", &[]);
}

/// Makes a key and a certificate, signed by itself if no other arguments say by whom.
fn certify(folder: &Path, name: &str, extensions: &str, arguments: &[&str]) {
    let config = format!(
        "[req]\ndistinguished_name = dn\nx509_extensions = extensions\nprompt = no\n[dn]\nCN = {name}\n[extensions]\n{extensions}\n"
    );
    fs::write(folder.join("request.conf"), config).unwrap();
    let (key, certificate) = (format!("{name}.key"), format!("{name}.pem"));
    let made = Command::new("openssl")
        .current_dir(folder)
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
        .args(["-days", "2", "-config", "request.conf", "-keyout", &key, "-out", &certificate])
        .args(arguments)
        .output()
        .expect("openssl is installed: scripts/test installs it");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}
