//! Exports spans of feeds, articles and deliveries to an OpenTelemetry collector, over OTLP (HTTP, protobuf).
//!
//! A separate thread collects and sends them in batches. Spans are dropped while the collector is unavailable or slower than
//! the daemon: nothing waits for it.

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

/// Timeout of one delivery.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long shutdown waits for the last spans to be sent.
const LAST_TIMEOUT: Duration = Duration::from_secs(5);

/// Settings for traces.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// OTLP endpoint, including the path.
    pub endpoint: Url,
    /// Share of traces that is kept, from 0 to 1; `None` if the environment sets it (`OTEL_TRACES_SAMPLER`).
    pub sample_ratio: Option<f64>,
    /// Service name; `None` if the environment sets it (`OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`).
    pub service_name: Option<&'static str>,
}

/// An error from starting traces.
#[derive(Debug, thiserror::Error)]
pub enum TracesError {
    /// The HTTP client cannot be built.
    #[error(transparent)]
    Client(#[from] FetchError),
    /// The OTLP settings in the environment (`OTEL_EXPORTER_OTLP_*`) are invalid.
    #[error("cannot set up traces: {0}")]
    Exporter(#[from] ExporterBuildError),
}

/// The process's trace exporter; dropping it sends the spans collected so far.
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

/// Starts the sending thread.
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

/// The collector that traces are sent to.
#[derive(Debug)]
struct Collector {
    reporter: Reporter,
    endpoint: Url,
    /// Whether the last delivery failed. A failure is logged once, until a delivery succeeds again.
    in_trouble: AtomicBool,
}

impl Collector {
    fn post(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (head, body) = request.into_parts();
        let (status, headers, body) = self.reporter.post(&self.endpoint, head.headers, body.into())?;
        if !status.is_success() {
            return Err(format!("the collector answered {status}").into());
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
                tracing::info!(endpoint, "traces are delivered again");
            }
            Err(error) if !self.in_trouble.swap(true, Ordering::Relaxed) => {
                tracing::warn!(endpoint, error = %error, "cannot deliver traces; dropping them until the endpoint accepts them again");
            }
            _ => {}
        }
    }
}

impl HttpClient for Collector {
    // The signature that `async_trait` generates for the method. It runs on the sending thread, which may block.
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
