//! Addresses in feeds: resolved, and http(s) or nothing.

use url::Url;

use super::identity::is_placeholder;
use super::tree::Element;

/// Resolves `reference` as it stands at `element`: against `xml:base` of the element and those around it, then the
/// feed's own address.
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

/// The link of a feed to its site. A relative one that nothing resolves is kept as it stands; what is absolute and
/// no web address is not.
pub(super) fn site(reference: &str, resolved: Option<Url>) -> Option<String> {
    let reference = reference.trim();
    let keep = !reference.is_empty() && absolute(reference).is_none();
    resolved.map(String::from).or_else(|| keep.then(|| reference.to_owned()))
}

/// Resolves `reference` against `base`, without an element around.
pub(super) fn join(reference: &str, base: Option<&Url>) -> Option<Url> {
    let reference = reference.trim();
    if leads_nowhere(reference) {
        return None;
    }
    web(absolute(reference).or_else(|| against(reference, base))?)
}

/// Whether there is nothing in it that could be resolved: what generators write for want of an address is no relative one.
fn leads_nowhere(reference: &str) -> bool {
    reference.trim_start_matches('#').is_empty() || is_placeholder(reference)
}

/// A URL that needs no base. Feeds leave out the scheme of a host that is plain to see.
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
