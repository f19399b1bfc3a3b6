//! Tests: which pages are classified as impostors, and which are not.

use super::signs::SIGNS;
use super::*;

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

fn entry(title: &str, summary: &str) -> EntryEvidence {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    EntryEvidence { title: some(title), summary: some(summary), ..EntryEvidence::default() }
}

fn ferry() -> EntryEvidence {
    entry("Ferry sails at noon", "The ferry company has a new boat.")
}

fn seen(html: &str, entry: &EntryEvidence) -> Option<Impostor> {
    let page = url("https://gazette.example/2026/ferry");
    judge(&Answer { asked: &page, final_url: &page, headers: &HeaderMap::new(), html }, entry)
}

fn led(asked: &str, final_url: &str, html: &str) -> Option<Impostor> {
    let answer = Answer { asked: &url(asked), final_url: &url(final_url), headers: &HeaderMap::new(), html };
    judge(&answer, &ferry())
}

fn page(head: &str, body: &str) -> String {
    format!("<!doctype html><html><head>{head}</head><body>{body}</body></html>")
}

#[test]
fn walls_are_told_by_what_they_are() {
    use Impostor::{Challenge, ConsentWall, LoginWall, SoftError, SoftNotFound};
    let long = "<p>Latest from the coast and from the islands, every hour of the day.</p>".repeat(30);
    let pages = [
        (
            Challenge,
            page("<title>Just a moment...</title>", "<p>Enable JavaScript and cookies to continue</p>"),
        ),
        (
            Challenge,
            page("<script src='/cdn-cgi/challenge-platform/h/b/orchestrate/x'></script>", "<p>Wait.</p>"),
        ),
        (Challenge, page("<title>Hm</title>", "<script id='anubis_challenge'>{}</script><h1>Oh</h1>")),
        (Challenge, page("", "<script>var dd={'host':'geo.captcha-delivery.com'}</script>")),
        (
            Challenge,
            page(
                "<title>\u{042f} \u{043d}\u{0435} \u{0440}\u{043e}\u{0431}\u{043e}\u{0442}</title>",
                "<p>?</p>",
            ),
        ),
        (ConsentWall, page("<title>Before you continue</title>", &format!("<p>We use cookies.</p>{long}"))),
        (
            ConsentWall,
            page(
                "<title>Gazette</title>",
                "<p>We and our partners store data.</p><button>Accept all</button>",
            ),
        ),
        (
            LoginWall,
            page(
                "<title>Sign in</title>",
                "<form><input name=user><input type=\"password\" name=secret><button>Sign in</button></form>",
            ),
        ),
        (
            SoftNotFound,
            page("<title>gazette.example</title>", "<h1>Sorry</h1><p>This domain has expired.</p>"),
        ),
        (
            SoftError,
            page("<title>Gazette</title>", "<p>There has been a critical error on this website.</p>"),
        ),
        (SoftNotFound, page("<title>Page not found - Gazette</title>", &format!("<h1>Sorry</h1>{long}"))),
        (SoftNotFound, page("<title>Gazette</title>", &format!("<h1>Seite nicht gefunden</h1>{long}"))),
        (SoftError, page("<title>503 Service Unavailable</title>", "<p>Come back later.</p>")),
        (SoftError, page("", "<h1>Error establishing a database connection</h1>")),
    ];
    for (kind, html) in pages {
        assert_eq!(seen(&html, &ferry()), Some(kind), "{html}");
    }
}

#[test]
fn a_page_that_speaks_of_its_entry_is_that_page() {
    let vendor = "<script src='/cdn-cgi/challenge-platform/scripts/jsd/main.js'></script>";
    let pages = [
        page(vendor, "<h1>Ferry sails at noon</h1><p>We use cookies. Accept all</p>"),
        page("<title>404: the ferry that sails at noon was not found</title>", "<p>A story.</p>"),
        page("", "<h1>The new boat</h1><p>The ferry sails at noon, with a security check for all.</p>"),
    ];
    for html in pages {
        assert_eq!(seen(&html, &ferry()), None, "{html}");
    }
    let teaser = entry("", "The ferry company has a new boat.");
    assert_eq!(seen(&page(vendor, "<p>The company's ferry has got a new boat.</p>"), &teaser), None);
    let banner = "<p>We use cookies.</p><button>Accept all</button>";
    let post = format!(
        "<h1>A picture</h1><p>{}</p>{banner}",
        "The sun sets over the quay, red and slow. ".repeat(20)
    );
    assert_eq!(seen(&page(vendor, &post), &ferry()), None, "a banner is no wall");
    let bare = page("<title>Tides</title>", &format!("<p>High water is at six.</p>{banner}"));
    assert_eq!(seen(&bare, &entry("", "")), None, "nothing is announced that it could keep silent about");
    assert_eq!(seen(&page("<title>Just a moment...</title>", ""), &entry("", "")), Some(Impostor::Challenge));
    let form = "<form><input type=\"password\"><button>Log in</button></form>";
    let beside = page(
        "<title>Tides</title>",
        &format!("<h1>Tides</h1>{form}<p>{}</p>", "High water is at six. ".repeat(30)),
    );
    assert_eq!(seen(&beside, &ferry()), None, "a form to log in beside a text is no wall");
    let plain = page("<title>Tides</title>", "<h1>Tides</h1><p>High water is at six, low water at noon.</p>");
    assert_eq!(seen(&plain, &ferry()), None, "another headline alone condemns nothing");
}

#[test]
fn scripts_without_spaces_are_read_by_character() {
    let story = entry("渡し船が正午に出る", "");
    let wall = page("<title>私はロボットではありません</title>", "");
    assert_eq!(seen(&wall, &story), Some(Impostor::Challenge));
    assert_eq!(seen(&page("", "<h1>渡し船が正午に出る</h1><p>お探しのページ</p>"), &story), None);
}

#[test]
fn headers_speak_for_themselves() {
    let mut headers = HeaderMap::new();
    headers.insert("cf-mitigated", "challenge".parse().unwrap());
    assert_eq!(by_headers(&headers), Some(Impostor::Challenge));
    headers.insert("cf-mitigated", "none".parse().unwrap());
    assert_eq!(by_headers(&headers), None);
}

#[test]
fn a_refusal_is_a_check_only_where_it_can_be_passed() {
    let check = page("<title>Security check</title>", "<p>Verify that you are human.</p>");
    let vendor =
        page("<title>gazette.example</title>", "<script>var dd={'host':'geo.captcha-delivery.com'}</script>");
    for html in [check, vendor] {
        assert_eq!(by_refusal(&html), Some(Impostor::Challenge), "{html}");
    }
    let no = page(
        "<title>Access denied</title>",
        "<h1>Access denied</h1><p>You are not authorized to access this page.</p>",
    );
    assert_eq!(by_refusal(&no), None);
    assert_eq!(seen(&no, &ferry()), Some(Impostor::Challenge), "with another status it is one");
}

#[test]
fn who_is_led_to_the_front_page_has_not_got_the_article() {
    let home = page("<title>Gazette</title>", "<h2>Ferry sails at noon</h2><p>And other news.</p>");
    let gone = Some(Impostor::SoftNotFound);
    for (asked, final_url, expected) in [
        ("https://gazette.example/2026/ferry", "https://www.gazette.example/", gone),
        ("https://gazette.example/2026/ferry", "https://gazette.example/?from=404", gone),
        ("https://gazette.example/?p=17", "https://gazette.example/", gone),
        ("https://gazette.example/de/2026/ferry", "https://gazette.example/de/", gone),
        ("https://gazette.example/2026/ferry", "https://gazette.example/index.html", gone),
        ("https://gazette.example/", "https://gazette.example/en/", None),
        ("https://gazette.example/?p=17", "https://gazette.example/ferry", None),
        ("https://short.example/x", "https://gazette.example/", None),
    ] {
        assert_eq!(led(asked, final_url, &home), expected, "{asked} to {final_url}");
    }
}

#[test]
fn who_is_led_to_a_section_has_got_what_the_section_says() {
    let section = page("<title>News</title>", "<h1>News</h1><p>Trams, tides and towers.</p>");
    let article = page("<title>Ferry sails at noon</title>", "<p>It sails.</p>");
    let (asked, above) = ("https://gazette.example/news/ferry", "https://gazette.example/news/");
    assert_eq!(led(asked, above, &section), Some(Impostor::SoftNotFound));
    assert_eq!(led(asked, above, &article), None);
    assert_eq!(led(above, asked, &section), None);
}

#[test]
fn a_section_stands_above_its_pages_and_an_article_above_its_versions() {
    let page = "https://gazette.example/news/ferry-sails-at-noon";
    for (above, below, expected) in [
        ("https://gazette.example/news/", page, true),
        ("https://gazette.example/news?id=17", page, false),
        (page, page, false),
        (page, "https://gazette.example/news/ferry-sails-at-noon/amp", false),
        (page, "https://gazette.example/news/ferry-sails-at-noon/2", false),
        ("https://other.example/news/", page, false),
    ] {
        assert_eq!(is_section_of(&url(above), &url(below)), expected, "{above} {below}");
    }
}

#[test]
fn a_copy_and_its_original_have_one_headline() {
    let story =
        |headline: &str| page("<title>Gazette</title>", &format!("<h1>{headline}</h1><p>It sails.</p>"));
    let section = page("<title>Gazette</title>", "<h1>News</h1><h2>Trams stand still</h2>");
    assert!(!is_other_story(&story("Ferry sails at noon"), &story("The ferry sails at noon")));
    assert!(is_other_story(&story("Ferry sails at noon"), &section));
    assert!(!is_other_story(&page("", "<p>It sails.</p>"), &section), "nothing is known of it");
}

#[test]
fn the_headline_of_a_page_is_not_that_of_a_part() {
    let changes = page("<title>Changes</title>", "<h1>Changes</h1><h2>Ferry sails at noon</h2>");
    assert!(!has_headline(&changes, &ferry()));
    assert!(has_headline(&page("<title>Ferry sails at noon | Gazette</title>", ""), &ferry()));
    assert!(!has_headline(&changes, &entry("", "The ferry company has a new boat.")));
}

#[test]
fn every_kind_has_signs_in_lower_case() {
    for kind in Impostor::WITH_SIGNS {
        let signs = &SIGNS.kinds[&kind];
        let texts =
            signs.marks.iter().chain(&signs.phrases).chain(signs.headers.iter().flat_map(|(a, b)| [a, b]));
        for text in texts {
            assert_eq!(*text, text.to_lowercase(), "{kind:?}");
        }
        assert!(!signs.phrases.is_empty(), "{kind:?}");
    }
}
