//! Spans of feeds, articles and deliveries to a collector of OpenTelemetry's, over OTLP (HTTP, protobuf).
//!
//! They are gathered and sent in batches by a thread of their own. Where the collector is away, or slower than the mill, they
//! are lost: nothing waits for it.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{ExporterBuildError, Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider};
use url::Url;

use crate::fetch::{FetchError, Reporter};

/// How long one delivery may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long a stop waits for the last ones.
const LAST_TIMEOUT: Duration = Duration::from_secs(5);

/// What is traced, and where to.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Where OTLP arrives, path included.
    pub endpoint: Url,
    /// Which share of all traces is kept, from 0 to 1; `None` where the environment says (`OTEL_TRACES_SAMPLER`).
    pub sample_ratio: Option<f64>,
    /// What this process is called; `None` where the environment says (`OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`).
    pub service_name: Option<&'static str>,
}

/// Why there are no traces.
#[derive(Debug, thiserror::Error)]
pub enum TracesError {
    /// No client can be built.
    #[error(transparent)]
    Client(#[from] FetchError),
    /// What the environment says of OTLP (`OTEL_EXPORTER_OTLP_*`) cannot be used.
    #[error("traces cannot be sent: {0}")]
    Exporter(#[from] ExporterBuildError),
}

/// The traces of the process: when this is dropped, what has been gathered is sent.
#[derive(Debug, Default)]
#[must_use = "what has been gathered is sent when this is dropped"]
pub struct Traces(Option<SdkTracerProvider>);

impl Drop for Traces {
    fn drop(&mut self) {
        if let Some(provider) = self.0.take()
            && let Err(error) = provider.shutdown_with_timeout(LAST_TIMEOUT)
        {
            tracing::warn!(%error, "the last traces are lost");
        }
    }
}

/// Starts the thread that sends.
pub(super) fn start(settings: &Settings) -> Result<(SdkTracer, Traces), TracesError> {
    let collector = Collector {
        reporter: Reporter::new(TIMEOUT)?,
        endpoint: settings.endpoint.clone(),
        in_trouble: AtomicBool::new(false),
    };
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(collector)
        .with_endpoint(settings.endpoint.as_str())
        .with_protocol(Protocol::HttpBinary)
        .with_timeout(TIMEOUT)
        .build()?;
    let mut resource =
        Resource::builder().with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
    if let Some(name) = settings.service_name {
        resource = resource.with_service_name(name);
    }
    let mut provider =
        SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource.build());
    if let Some(ratio) = settings.sample_ratio {
        provider = provider.with_sampler(Sampler::TraceIdRatioBased(ratio));
    }
    let provider = provider.build();
    Ok((provider.tracer("feedmill"), Traces(Some(provider))))
}

/// Where traces go.
#[derive(Debug)]
struct Collector {
    reporter: Reporter,
    endpoint: Url,
    /// Whether the last delivery failed. It is logged once.
    in_trouble: AtomicBool,
}

impl Collector {
    fn post(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (head, body) = request.into_parts();
        let (status, headers, body) = self.reporter.post(&self.endpoint, head.headers, body.into())?;
        if !status.is_success() {
            return Err(format!("it answers {status}").into());
        }
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }

    fn tell(&self, posted: Result<(), &HttpError>) {
        let endpoint = self.endpoint.as_str();
        match posted {
            Ok(()) if self.in_trouble.swap(false, Ordering::Relaxed) => {
                tracing::info!(endpoint, "traces can be delivered again");
            }
            Err(error) if !self.in_trouble.swap(true, Ordering::Relaxed) => {
                tracing::warn!(endpoint, error = %error, "traces cannot be delivered: they are lost until they can");
            }
            _ => {}
        }
    }
}

impl HttpClient for Collector {
    // What `async_trait` makes of the trait's method. It is called on the sending thread, which may wait.
    fn send_bytes<'s, 'f>(
        &'s self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'f>>
    where
        's: 'f,
        Self: 'f,
    {
        Box::pin(async move {
            let posted = self.post(request);
            self.tell(posted.as_ref().map(|_| ()));
            posted
        })
    }
}
