//! Redirects by the `Refresh` header and `<meta http-equiv="refresh">`, which link shorteners, alerts and moved sites use.

use http::HeaderValue;
use url::Url;

use super::chain::strip_credentials;
use crate::markup::each_tag;

/// Longest delay of a redirect: a page with a longer one is meant to be read, and its refresh reloads it.
const MAX_DELAY_SECS: u32 = 5;

/// How much of a page is scanned: later tags are in the body.
const HEAD_BYTES: usize = 32 << 10;

/// Returns where a response from `from` redirects by its `Refresh` header or the page's head.
pub(super) fn target(header: Option<&HeaderValue>, body: &[u8], from: &Url) -> Option<Url> {
    let by_header = header.and_then(|value| value.to_str().ok()).and_then(|text| read(text, from));
    by_header.or_else(|| in_head(body, from))
}

fn in_head(body: &[u8], from: &Url) -> Option<Url> {
    let head = &body[..body.len().min(HEAD_BYTES)];
    if !contains(head, b"refresh") {
        return None;
    }
    let html = String::from_utf8_lossy(head);
    let (mut target, mut base, mut hidden, mut is_over) = (None, from.clone(), 0_usize, false);
    each_tag(&html, |tag| match tag.name.as_str() {
        _ if is_over || target.is_some() => {}
        // A refresh in `noscript` is ignored: it leads clients without scripts to a page that asks for them.
        "noscript" | "template" | "svg" if tag.is_end => hidden = hidden.saturating_sub(1),
        "noscript" | "template" | "svg" => hidden += 1,
        "article" | "main" | "p" => is_over = true,
        "base" if hidden == 0 => {
            if let Some(url) = tag.attribute("href").and_then(|href| from.join(href).ok()) {
                base = url;
            }
        }
        "meta" if hidden == 0 => {
            let is_refresh =
                tag.attribute("http-equiv").is_some_and(|kind| kind.trim().eq_ignore_ascii_case("refresh"));
            target = tag.attribute("content").filter(|_| is_refresh).and_then(|content| read(content, &base));
        }
        _ => {}
    });
    target.filter(|target| target != from)
}

fn contains(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word))
}

/// Returns the URL in `0; url='/there'`, by the HTML standard's rules for shared declarative refreshes.
fn read(content: &str, base: &Url) -> Option<Url> {
    let content = content.trim_start();
    let digits = content.bytes().take_while(u8::is_ascii_digit).count();
    let delay: u32 = content[..digits].parse().ok()?;
    if delay > MAX_DELAY_SECS {
        return None;
    }
    let rest = content[digits..].trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let rest = rest.trim_start().trim_start_matches([';', ',']).trim_start();
    let named = rest.get(..3).filter(|name| name.eq_ignore_ascii_case("url"));
    let rest = named.and_then(|_| rest[3..].trim_start().strip_prefix('=')).unwrap_or(rest).trim();
    let place = match rest.chars().next()? {
        quote @ ('"' | '\'') => rest[1..].split(quote).next()?,
        _ => rest,
    };
    let mut target = base.join(place.trim()).ok().filter(|_| !place.trim().is_empty())?;
    target.set_fragment(None);
    strip_credentials(&mut target);
    (matches!(target.scheme(), "http" | "https") && target != *base).then_some(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(html: &str) -> Option<String> {
        let from = Url::parse("https://a.example/go?u=1").unwrap();
        target(None, html.as_bytes(), &from).map(String::from)
    }

    #[test]
    fn a_page_that_moves_on_at_once_is_a_redirect() {
        let there = Some("https://a.example/there".to_owned());
        for html in [
            r#"<html><head><meta http-equiv="refresh" content="0;URL='/there'"></head></html>"#,
            r#"<META HTTP-EQUIV=Refresh CONTENT="0; url=there">"#,
            r#"<meta content="3, url = &quot;/there&quot;" http-equiv="refresh">"#,
            r#"<meta http-equiv="refresh" content="0.5;/there#top">"#,
            r#"<base href="/deep/"><meta http-equiv=refresh content="1;url=../there">"#,
        ] {
            assert_eq!(page(html), there, "{html}");
        }
        let header = HeaderValue::from_static("0; url=/there");
        let from = Url::parse("https://a.example/go").unwrap();
        assert_eq!(target(Some(&header), b"", &from).map(String::from), there);
    }

    #[test]
    fn a_page_that_stays_is_none() {
        for html in [
            r#"<meta http-equiv="refresh" content="300">"#,
            r#"<meta http-equiv="refresh" content="0">"#,
            r#"<meta http-equiv="refresh" content="0;url=/go?u=1">"#,
            r#"<meta http-equiv="refresh" content="1800; url=/there">"#,
            r#"<meta http-equiv="refresh" content="0; url=javascript:alert(1)">"#,
            r#"<!-- <meta http-equiv="refresh" content="0; url=/there"> -->"#,
            r#"<noscript><meta http-equiv="refresh" content="0; url=/there"></noscript>"#,
            r#"<script>"<meta http-equiv='refresh' content='0; url=/there'>"</script>"#,
            r#"<p>To reload, write</p><meta http-equiv="refresh" content="0; url=/there">"#,
            r#"<meta http-equiv="refresh" content="soon; url=/there">"#,
            "refresh",
        ] {
            assert_eq!(page(html), None, "{html}");
        }
    }
}
