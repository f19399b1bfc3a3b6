//! The HTTP clients: built once, shared by all feeds.
//!
//! A client costs 7 ms and a connection pool, so nothing that differs from feed to feed may need one of its own, except
//! a proxy, and a port with a rule in the guard's allow list (see `Guard::port_with_rule`).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use reqwest::redirect::Policy;
use url::Url;

use super::guard::{Guard, GuardedResolver};
use super::{FetchError, Settings};

/// Kept open for the pages that follow a feed; short, since ten thousand hosts are polled and TLS sessions are large.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(15);
/// Headers of one answer, names and values. HTTP/1 heads are also bounded by hyper: 100 lines, 400 KiB.
pub(super) const MAX_HEADER_BYTES: u32 = 64 << 10;

/// What tells one client from another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct ClientKey {
    pub(super) proxy: Option<Url>,
    pub(super) port: Option<u16>,
}

/// The clients in use.
#[derive(Debug)]
pub(super) struct Clients {
    guard: Arc<Guard>,
    connect_timeout: Duration,
    read_timeout: Duration,
    built: Mutex<HashMap<ClientKey, reqwest::Client>>,
}

impl Clients {
    /// Builds the client that most requests use, so that what is wrong with this machine shows at once.
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

    /// The client for `key`, built at its first use.
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
            // Old and odd servers break a header line or invent one; no other line suffers.
            .http1_allow_obsolete_multiline_headers_in_responses(true)
            .http1_ignore_invalid_headers_in_responses(true);
        match &key.proxy {
            // The operator names the proxy, so its own address needs no permission. The proxy resolves the names: its
            // rules decide what they may stand for.
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

/// Builds a client.
pub(super) fn built(
    builder: impl Fn() -> Result<reqwest::ClientBuilder, FetchError>,
) -> Result<reqwest::Client, FetchError> {
    install_tls_provider();
    let failed = |error: reqwest::Error| FetchError::Client(error.without_url().to_string());
    match builder()?.build() {
        Ok(client) => Ok(client),
        // The one thing that can be missing here is the platform's store of certificates: a bare container has
        // none. The roots that are compiled in serve as well, but are only as new as this program.
        Err(error) => {
            tracing::warn!(%error, "no certificate store on this machine: using the compiled-in roots");
            builder()?.tls_backend_preconfigured(compiled_in_roots()).build().map_err(failed)
        }
    }
}

/// One provider of cryptography for the whole process: two would make rustls panic at the first connection. The program
/// has installed it at its start; a test or a benchmark has not.
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
