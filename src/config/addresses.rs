//! Addresses in the configuration: URLs, and the private networks that may be reached.

use std::net::IpAddr;

use ipnet::IpNet;
use url::Url;

use crate::fetch::AllowedNet;

pub(super) fn has_credentials(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

/// Parses an absolute http(s) URL.
pub(super) fn http_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| match error {
        url::ParseError::RelativeUrlWithoutBase => {
            "not a URL: must begin with http:// or https://".to_owned()
        }
        error => format!("not a URL: {error}"),
    })?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        scheme => Err(format!("must begin with http:// or https://, not {scheme}:")),
    }
}

/// Parses a public https URL and appends a slash to its path: each subscription appends its own part.
pub(super) fn callback_url(text: &str) -> Result<Url, String> {
    let mut url = http_url(text)?;
    if url.scheme() != "https" {
        return Err("must begin with https://: deliveries must be encrypted".to_owned());
    }
    if has_credentials(&url) || url.query().is_some() || url.fragment().is_some() {
        return Err("must be a URL without user name, query and fragment".to_owned());
    }
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Ok(url)
}

/// Parses a network or address with an optional port: `10.1.0.0/16`, `127.0.0.1:8080`, `[fd00::/8]:443`.
pub(super) fn allowed_net(text: &str) -> Option<AllowedNet> {
    let net = |text: &str| text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).ok();
    if let Some(net) = net(text) {
        return Some(AllowedNet { net, port: None });
    }
    let (address, port) = text.rsplit_once(':')?;
    let address = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(address);
    Some(AllowedNet { net: net(address)?, port: Some(port.parse().ok()?) })
}
