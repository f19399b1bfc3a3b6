//! URLs in feeds: resolved, and restricted to http(s).

use url::Url;

use super::identity::is_placeholder;
use super::tree::Element;

/// Resolves `reference` at `element`: against the `xml:base` of the element and its ancestors, then the feed's own
/// address.
pub(super) fn resolve(reference: &str, element: Element<'_>, base: Option<&Url>) -> Option<Url> {
    let reference = reference.trim();
    if leads_nowhere(reference) {
        return None;
    }
    if let Some(url) = absolute(reference) {
        return web(url);
    }
    let bases: Vec<_> = element.bases().collect();
    let mut context = base.cloned();
    for link in bases.iter().rev() {
        context = against(link.trim(), context.as_ref()).or(context);
    }
    web(against(reference, context.as_ref())?)
}

/// Returns the link of a feed to its site. A relative one that could not be resolved is kept as it is; an absolute one
/// that is not http(s) is dropped.
pub(super) fn site(reference: &str, resolved: Option<Url>) -> Option<String> {
    let reference = reference.trim();
    let keep = !reference.is_empty() && absolute(reference).is_none();
    resolved.map(String::from).or_else(|| keep.then(|| reference.to_owned()))
}

/// Resolves `reference` against `base` alone.
pub(super) fn join(reference: &str, base: Option<&Url>) -> Option<Url> {
    let reference = reference.trim();
    if leads_nowhere(reference) {
        return None;
    }
    web(absolute(reference).or_else(|| against(reference, base))?)
}

/// Returns whether a reference has nothing to resolve: it is empty, `#`, or a placeholder that generators write for a missing
/// URL.
fn leads_nowhere(reference: &str) -> bool {
    reference.trim_start_matches('#').is_empty() || is_placeholder(reference)
}

/// Parses a URL that needs no base. Feeds omit the scheme of hosts that begin with `www.`.
fn absolute(reference: &str) -> Option<Url> {
    if let Ok(url) = Url::parse(reference) {
        return Some(url);
    }
    let is_host = reference.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("www."));
    is_host.then(|| Url::parse(&format!("http://{reference}")).ok()).flatten()
}

fn against(reference: &str, base: Option<&Url>) -> Option<Url> {
    if let Some(url) = absolute(reference) {
        return Some(url);
    }
    match base {
        Some(base) => base.join(reference).ok(),
        None => reference.strip_prefix("//").and_then(|rest| Url::parse(&format!("https://{rest}")).ok()),
    }
}

fn web(url: Url) -> Option<Url> {
    (matches!(url.scheme(), "http" | "https") && url.host().is_some()).then_some(url)
}
