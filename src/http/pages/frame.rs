//! What all pages share: head, menu, and the rendering of times, links and numbers.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use maud::{DOCTYPE, Markup, html};
use url::Url;
use url::form_urlencoded::Serializer;

use crate::http::session::Visitor;
use crate::model::ArticleId;
use crate::report::rough_time;
use crate::search::Piece;
use crate::store::ArticleStatus;

/// A page as a response.
pub(super) struct Html(Markup);

impl IntoResponse for Html {
    fn into_response(self) -> Response {
        let html = [(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"))];
        (html, self.0.into_string()).into_response()
    }
}

/// The menu item of the current page.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Overview,
    Feeds,
    Sites,
    Search,
    /// Not in the menu.
    Elsewhere,
}

const MENU: [(Place, &str, &str); 4] = [
    (Place::Overview, "/", "Overview"),
    (Place::Feeds, "/feeds", "Feeds"),
    (Place::Sites, "/sites", "Sites"),
    (Place::Search, "/search", "Search"),
];

/// Renders a page around its content.
pub(super) fn page(title: &str, place: Place, visitor: &Visitor, main: &Markup) -> Html {
    Html(html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " – feedmill" }
                link rel="stylesheet" href=(STYLE_ADDRESS);
                link rel="icon" type="image/svg+xml" href="/icon.svg";
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                header {
                    nav aria-label="Pages" {
                        ul {
                            @for (there, href, name) in MENU {
                                li { a href=(href) aria-current=[(there == place).then_some("page")] { (name) } }
                            }
                        }
                    }
                    @if let Some(name) = &visitor.name {
                        form method="post" action="/logout" {
                            span { (name) @if !visitor.may_change { " (read-only)" } }
                            " "
                            button { "Log out" }
                        }
                    }
                }
                main id="main" tabindex="-1" { (main) }
                footer { "feedmill " (env!("CARGO_PKG_VERSION")) }
            }
        }
    })
}

/// Each version has its own URL, so that no browser uses another version's cached style sheet.
const STYLE_ADDRESS: &str = concat!("/style.css?", env!("CARGO_PKG_VERSION"));

pub(super) async fn style() -> impl IntoResponse {
    asset("text/css; charset=utf-8", include_str!("style.css"))
}

pub(super) async fn icon() -> impl IntoResponse {
    asset("image/svg+xml", include_str!("icon.svg"))
}

fn asset(content_type: &'static str, content: &'static str) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, "max-age=86400")], content)
}

/// Renders a time, to the minute.
pub(super) fn moment(at: Timestamp) -> Markup {
    html! { time datetime=(at) { (at.strftime("%F %H:%M UTC")) } }
}

/// Renders a time and how long ago it was, or how soon it will be.
pub(super) fn moment_and_distance(at: Timestamp, now: Timestamp) -> Markup {
    html! {
        (moment(at))
        @if at <= now { " (" (rough_time(at, now)) " ago)" } @else { " (in " (rough_time(now, at)) ")" }
    }
}

/// Renders a URL from outside: as a link if it is http(s), otherwise as text.
pub(super) fn outward(url: &Url) -> Markup {
    html! {
        @if matches!(url.scheme(), "http" | "https") {
            a href=(url) rel="noreferrer noopener" { (url) }
        } @else {
            (url)
        }
    }
}

/// Renders the title of an article, which comes from outside, as a link to the article's page.
pub(super) fn article_link(article: &ArticleStatus) -> Markup {
    let name = article.title.as_deref().map_or(article.url.as_str(), str::trim);
    html! {
        a href=(article_address(&article.id)) dir="auto" { (if name.is_empty() { article.url.as_str() } else { name }) }
        @if article.withdrawn_at.is_some() { " " span.badge.bad { "withdrawn" } }
        @if let Some(kind) = article.duplicate_kind { " " span.badge { (kind.as_str()) " copy" } }
    }
}

pub(super) fn article_address(id: &ArticleId) -> String {
    format!("/articles/{id}")
}

/// Returns a serializer for appending query parameters to `path`, which ends with a question mark.
pub(super) fn query_of(path: &str) -> Serializer<'static, String> {
    Serializer::for_suffix(path.to_owned(), path.len())
}

/// Renders text with the search matches marked.
pub(super) fn marked(pieces: &[Piece]) -> Markup {
    html! {
        @for piece in pieces {
            @if piece.is_found { mark { (piece.text) } } @else { (piece.text) }
        }
    }
}

/// Renders a table that may be wider than the screen: it scrolls by itself, with the keyboard as well.
pub(super) fn table(caption: &str, head: &Markup, body: &Markup) -> Markup {
    html! {
        div.scroll role="region" aria-label=(caption) tabindex="0" {
            table {
                caption { (caption) }
                thead { tr { (head) } }
                tbody { (body) }
            }
        }
    }
}

/// Renders column headers.
pub(super) fn columns(names: &[&str]) -> Markup {
    html! { @for name in names { th scope="col" { (name) } } }
}

/// Formats a number with its noun.
pub(super) fn count(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

/// Formats a number with its digits in groups of three.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_groups() {
        assert_eq!(
            [0, 999, 1_000, 12_345, 1_234_567].map(grouped),
            ["0", "999", "1,000", "12,345", "1,234,567"]
        );
        assert_eq!(
            (count(1, "feed", "feeds"), count(2_000, "feed", "feeds")),
            ("1 feed".into(), "2,000 feeds".into())
        );
    }

    #[test]
    fn only_pages_of_the_web_are_linked_to() {
        let link = |url: &str| outward(&url.parse().unwrap()).into_string();
        assert_eq!(
            link("https://a.example/?a=1&b=\"<"),
            "<a href=\"https://a.example/?a=1&amp;b=%22%3C\" rel=\"noreferrer noopener\">\
             https://a.example/?a=1&amp;b=%22%3C</a>"
        );
        assert_eq!(link("javascript:alert(1)"), "javascript:alert(1)");
    }
}
