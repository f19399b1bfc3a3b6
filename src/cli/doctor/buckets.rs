//! Checks that the buckets of sinks exist and are writable.

use super::finding::Finding;
use crate::clock::Clock;
use crate::config::Config;
use crate::fetch::Fetcher;
use crate::publish::PublishError;
use crate::publish::folder::Place;
use crate::publish::folder::objects::{Objects, Settings};

pub(super) async fn look(config: &Config, clock: &Clock) -> Vec<Finding> {
    const CHECK: &str = "bucket";
    let mut findings = Vec::new();
    for sink in &config.sinks {
        let Some(Place::Objects(settings)) = sink.receiver.place() else { continue };
        let url = &settings.url;
        findings.push(match probe(config, settings, clock).await {
            Ok(()) => Finding::ok(CHECK, format!("{url} is writable")),
            Err(error) => Finding::problem(CHECK, error.to_string()),
        });
    }
    findings
}

async fn probe(config: &Config, settings: &Settings, clock: &Clock) -> Result<(), PublishError> {
    let client = Fetcher::new(config.fetch.clone(), clock.clone())?.object_client()?;
    Objects::open(settings, client)?.probe().await
}
