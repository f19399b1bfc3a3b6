//! The HTTP clients: built once, shared by all feeds.
//!
//! A client costs 7 ms and a connection pool, so per-feed options do not get clients of their own, with two exceptions: a
//! proxy, and a port with a rule in the guard's allow list (see `Guard::port_with_rule`).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use reqwest::redirect::Policy;
use url::Url;

use super::guard::{Guard, GuardedResolver};
use super::{FetchError, Settings};

/// How long idle connections stay open: long enough for the pages that follow a feed, yet short, since ten thousand hosts are
/// polled and TLS sessions are large.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(15);
/// Cap on the headers of one response, names and values. hyper also bounds HTTP/1 heads: 100 lines, 400 KiB.
pub(super) const MAX_HEADER_BYTES: u32 = 64 << 10;

/// The options that need a client of their own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct ClientKey {
    pub(super) proxy: Option<Url>,
    pub(super) port: Option<u16>,
}

/// All clients built so far.
#[derive(Debug)]
pub(super) struct Clients {
    guard: Arc<Guard>,
    connect_timeout: Duration,
    read_timeout: Duration,
    built: Mutex<HashMap<ClientKey, reqwest::Client>>,
}

impl Clients {
    /// Builds the client that most requests use, so that problems of this machine show at startup.
    pub(super) fn new(settings: &Settings, guard: Arc<Guard>) -> Result<Self, FetchError> {
        let clients = Self {
            guard,
            connect_timeout: settings.connect_timeout,
            read_timeout: settings.read_timeout,
            built: Mutex::default(),
        };
        clients.get(&ClientKey { proxy: settings.proxy.clone(), port: None })?;
        Ok(clients)
    }

    /// Returns the client for `key`, built at first use.
    pub(super) fn get(&self, key: &ClientKey) -> Result<reqwest::Client, FetchError> {
        let mut built = self.built.lock().expect("no holder of this lock can panic");
        if let Some(client) = built.get(key) {
            return Ok(client.clone());
        }
        let client = self.build(key)?;
        built.insert(key.clone(), client.clone());
        Ok(client)
    }

    fn build(&self, key: &ClientKey) -> Result<reqwest::Client, FetchError> {
        built(|| self.builder(key))
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that builds clients, guarded and with timeouts"
    )]
    fn builder(&self, key: &ClientKey) -> Result<reqwest::ClientBuilder, FetchError> {
        let builder = reqwest::Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .referer(false)
            .connect_timeout(self.connect_timeout)
            .read_timeout(self.read_timeout)
            .pool_idle_timeout(POOL_IDLE_TIMEOUT)
            .http2_max_header_list_size(MAX_HEADER_BYTES)
            // Old and odd servers fold header lines or send invalid ones; the other headers stay usable.
            .http1_allow_obsolete_multiline_headers_in_responses(true)
            .http1_ignore_invalid_headers_in_responses(true);
        match &key.proxy {
            // The operator names the proxy, so its own address is not checked. The proxy resolves the names, and its rules
            // decide which addresses are allowed.
            Some(proxy) => {
                let proxy = reqwest::Proxy::all(proxy.clone())
                    .map_err(|error| FetchError::BadOption(format!("proxy: {}", error.without_url())))?;
                Ok(builder.proxy(proxy))
            }
            None => {
                Ok(builder.dns_resolver(GuardedResolver { guard: Arc::clone(&self.guard), port: key.port }))
            }
        }
    }
}

/// Builds a client; falls back to the compiled-in root certificates if that fails.
pub(super) fn built(
    builder: impl Fn() -> Result<reqwest::ClientBuilder, FetchError>,
) -> Result<reqwest::Client, FetchError> {
    install_tls_provider();
    let failed = |error: reqwest::Error| FetchError::Client(error.without_url().to_string());
    match builder()?.build() {
        Ok(client) => Ok(client),
        // The one thing that can be missing here is the platform's certificate store: a bare container has none. The
        // compiled-in roots serve as well, but are only as recent as this program.
        Err(error) => {
            tracing::warn!(%error, "no certificate store on this machine: using the compiled-in roots");
            builder()?.tls_backend_preconfigured(compiled_in_roots()).build().map_err(failed)
        }
    }
}

/// Installs one crypto provider for the whole process: with two compiled in and none installed, rustls panics at the first
/// connection. The program installs it at startup; tests and benchmarks do not.
fn install_tls_provider() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let absent = rustls::crypto::CryptoProvider::get_default().is_none();
        if absent && rustls::crypto::ring::default_provider().install_default().is_err() {
            tracing::debug!("another thread has installed a TLS provider at the same moment");
        }
    });
}

fn compiled_in_roots() -> rustls::ClientConfig {
    let roots = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect::<rustls::RootCertStore>();
    let mut config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}
