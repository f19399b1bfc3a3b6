//! Where traces are sent. The standard OpenTelemetry environment variables apply to whatever the file does not set;
//! `OTEL_SDK_DISABLED` turns traces off in any case.

use url::Url;

use super::addresses::{has_credentials, http_url};
use super::check::Checker;
use super::raw;
use crate::telemetry::traces;

/// The service name, unless the environment sets another.
const SERVICE_NAME: &str = "feedmill";

impl Checker<'_> {
    pub(super) fn traces(&mut self, raw: &raw::Telemetry) -> Option<traces::Settings> {
        self.bounds("telemetry.sample_ratio", &raw.sample_ratio, &(0.0..=1.0));
        let ours = self.parsed("telemetry.otlp_endpoint", &raw.otlp_endpoint, endpoint);
        let environment = self.environment;
        let is_off =
            environment.get("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let endpoint = ours.map(with_path).or_else(|| self.endpoint_of_environment()).filter(|_| !is_off)?;
        let names_service = environment.get("OTEL_SERVICE_NAME").is_some()
            || environment
                .get("OTEL_RESOURCE_ATTRIBUTES")
                .is_some_and(|attributes| attributes.contains("service.name="));
        let samples = raw.sample_ratio >= 1.0 && environment.get("OTEL_TRACES_SAMPLER").is_some();
        Some(traces::Settings {
            endpoint,
            sample_ratio: Some(raw.sample_ratio).filter(|_| !samples),
            service_name: Some(SERVICE_NAME).filter(|_| !names_service),
        })
    }

    fn endpoint_of_environment(&mut self) -> Option<Url> {
        let environment = self.environment;
        for (variable, is_whole) in
            [("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", true), ("OTEL_EXPORTER_OTLP_ENDPOINT", false)]
        {
            let Some(text) = environment.get(variable) else { continue };
            match endpoint(text) {
                Ok(url) => return Some(if is_whole { url } else { with_path(url) }),
                Err(message) => self.refuse_variable(variable, &message),
            }
        }
        None
    }
}

fn endpoint(text: &str) -> Result<Url, String> {
    let url = http_url(text)?;
    if has_credentials(&url) {
        return Err(
            "must be a URL without user name and password; hint: set OTEL_EXPORTER_OTLP_HEADERS".to_owned()
        );
    }
    Ok(url)
}

/// Appends the path for traces to a base endpoint.
fn with_path(mut url: Url) -> Url {
    let path = format!("{}/v1/traces", url.path().trim_end_matches('/'));
    url.set_path(&path);
    url
}
