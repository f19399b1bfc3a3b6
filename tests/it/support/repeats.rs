//! Pages and feeds that repeat one construct: for each construct that a step searches for, a document with more of it than any
//! legitimate page. A step of quadratic cost takes sixteen times as long for four times as many.
//!
//! The file is long because it is one table with a row per construct.

use std::fmt::Write as _;

/// A document that repeats one construct.
pub(crate) struct Repeats {
    pub(crate) name: &'static str,
    /// The text before and after the repetitions.
    around: [&'static str; 2],
    /// Returns the repetition with this number.
    unit: fn(usize) -> String,
}

impl Repeats {
    const fn new(name: &'static str, around: [&'static str; 2], unit: fn(usize) -> String) -> Self {
        Self { name, around, unit }
    }

    /// Returns a document of about this many bytes.
    pub(crate) fn document(&self, bytes: usize) -> String {
        let mut document = self.around[0].to_owned();
        let mut number = 0;
        while document.len() + self.around[1].len() < bytes {
            document.push_str(&(self.unit)(number));
            number += 1;
        }
        document + self.around[1]
    }
}

const PROSE: &str = "The harbour master said on Tuesday that the ferries would return to the quay before the end of the \
                     week, and that nobody should wait in the rain for them.";

const PAGE: [&str; 2] = [
    "<html lang=en><title>Harbour ferries return to the quay</title><body><h1>Harbour ferries return to the quay</h1>",
    "</body></html>",
];
/// An article, followed by the repetitions.
const BEHIND: [&str; 2] = [
    "<html lang=en><title>Harbour ferries return to the quay</title><body><article><h1>Harbour ferries return to the quay</h1>\
     <p>The harbour master said on Tuesday that the ferries would return to the quay before the end of the week, and that nobody should wait.</p>\
     <p>Passengers had waited for a month while the council argued over who should pay for the broken pier and its lamps, he said.</p>\
     <p>The first boat leaves at noon, with the mayor and the school band on board, and the last one comes back in the evening light.</p></article>",
    "</body></html>",
];
const HEAD: [&str; 2] = [
    "<html lang=en><head><title>Harbour ferries return to the quay</title>",
    "</head><body><h1>Harbour ferries return to the quay</h1><p>The harbour master said on Tuesday that the ferries would return.</p></body></html>",
];
const RSS: [&str; 2] = [
    "<?xml version=\"1.0\"?><rss version=\"2.0\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\" xmlns:media=\"http://search.yahoo.com/mrss/\" \
     xmlns:content=\"http://purl.org/rss/1.0/modules/content/\"><channel><title>Harbour</title><link>https://harbour.example/</link>",
    "</channel></rss>",
];
const ENTRY: [&str; 2] = [
    "<?xml version=\"1.0\"?><rss version=\"2.0\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\" xmlns:media=\"http://search.yahoo.com/mrss/\" \
     xmlns:content=\"http://purl.org/rss/1.0/modules/content/\"><channel><title>Harbour</title><item><title>One</title>\
     <link>https://harbour.example/1</link>",
    "</item></channel></rss>",
];
const ATOM: [&str; 2] = [
    "<feed xmlns=\"http://www.w3.org/2005/Atom\"><title>Harbour</title><id>urn:x</id><entry><title>One</title><id>urn:1</id>",
    "</entry></feed>",
];
const JSON: [&str; 2] = [
    "{\"version\":\"https://jsonfeed.org/version/1.1\",\"title\":\"Harbour\",\"items\":[",
    "{\"id\":\"last\"}]}",
];
const JSON_ENTRY: [&str; 2] = [
    "{\"version\":\"https://jsonfeed.org/version/1.1\",\"title\":\"Harbour\",\"items\":[{\"id\":\"1\",\"content_text\":\"One\",\"tags\":[",
    "\"last\"]}]}",
];

fn once(text: &str) -> String {
    text.to_owned()
}

/// Every kind of construct that extraction searches for.
pub(crate) const PAGES: &[Repeats] = &[
    // Bylines and other self-describing lines.
    Repeats::new("bylines", PAGE, |_| once("<p>By John Smith and Jane Roe</p>")),
    Repeats::new("short bylines", PAGE, |_| once("<p>By John</p>")),
    Repeats::new("bylines behind an article", BEHIND, |_| once("<p>By John Smith and Jane Roe</p>")),
    Repeats::new("different bylines", PAGE, |n| format!("<p>By John{n} Smith{n}</p>")),
    Repeats::new("bylines in one box", PAGE, |_| once("By John Smith<br>")),
    Repeats::new("bylines by class", PAGE, |n| format!("<div class=byline>Ann Lee{n}</div>")),
    Repeats::new("nested bylines", PAGE, |n| {
        if n % 400 < 399 { once("<div class=byline>") } else { format!("{PROSE}{}", "</div>".repeat(399)) }
    }),
    Repeats::new("bylines by rel", PAGE, |n| format!("<a rel=author href=/a/{n}>Ann Lee</a>")),
    Repeats::new("links to authors", PAGE, |n| format!("<a href=/author/{n}>Ann Lee</a> ")),
    Repeats::new("names", PAGE, |n| format!("<p>Jane Young{n}</p>")),
    Repeats::new("times", PAGE, |n| format!("<time datetime=2024-05-{:02}>4 May</time>", n % 28 + 1)),
    Repeats::new("times in furniture", PAGE, |n| {
        format!("<aside><time datetime=2024-05-{:02}>4 May</time></aside>", n % 28 + 1)
    }),
    Repeats::new("nested times", PAGE, |n| {
        if n % 400 < 399 { once("<span class=date>") } else { format!("{PROSE}{}", "</span>".repeat(399)) }
    }),
    Repeats::new("dates", PAGE, |n| format!("<p>{} May 2024</p>", n % 28 + 1)),
    Repeats::new("numeric dates", PAGE, |n| format!("<p>{}/5/2024</p>", n % 28 + 1)),
    Repeats::new("relative dates", PAGE, |_| once("<p>3 hours ago</p>")),
    Repeats::new("dates by class", PAGE, |n| format!("<span class=date>{} May 2024</span> ", n % 28 + 1)),
    Repeats::new("marked dates", PAGE, |_| once("<meta itemprop=datePublished content=2024-05-04>")),
    Repeats::new("marked dates in furniture", PAGE, |_| {
        once("<aside><meta itemprop=datePublished content=x2024></aside>")
    }),
    Repeats::new("datelines", PAGE, |n| format!("<p>Published: {} May 2024 | Ann Lee</p>", n % 28 + 1)),
    Repeats::new("headings", PAGE, |n| format!("<h2>What the council says {n}</h2>")),
    Repeats::new("first headings", PAGE, |n| format!("<h1>What the council says {n}</h1>")),
    Repeats::new("first headings in furniture", PAGE, |n| format!("<aside><h1>Council {n}</h1>")),
    Repeats::new("headings of the title", PAGE, |_| once("<h2>Harbour ferries return to the quay</h2>")),
    Repeats::new("headings and a sentence", PAGE, |_| once("<h2>Comments</h2><p>The boats are back.</p>")),
    Repeats::new("copyright", PAGE, |_| once("<p>© 2024 Harbour Times. All rights reserved.</p>")),
    Repeats::new("copyright behind an article", BEHIND, |_| once("<p>© 2024 Harbour Times</p>")),
    Repeats::new("read also", PAGE, |_| once("<p>Read also: Ferries to the isles</p>")),
    Repeats::new("read also behind an article", BEHIND, |_| once("<p>Related articles</p>")),
    Repeats::new("comments", PAGE, |_| once("<p>Comments</p>")),
    Repeats::new("comments behind an article", BEHIND, |n| format!("<p>{n} comments</p>")),
    Repeats::new("comments among prose", PAGE, |_| format!("<p>{PROSE}</p><p>Comments</p>")),
    Repeats::new("comment headings", BEHIND, |_| once("<h3>Comments</h3>")),
    Repeats::new("one comment heading", BEHIND, |n| {
        if n % 2 == 0 { once("<p>Leave a comment</p>") } else { once("<p>Ada said so.</p>") }
    }),
    Repeats::new("newsletter", BEHIND, |_| once("<p>Subscribe to our newsletter</p>")),
    Repeats::new("newsletter and labels", BEHIND, |_| once("<p>Newsletter</p><p>Daily</p>")),
    Repeats::new("paywall", BEHIND, |_| once("<p>Subscribe to continue reading this article today</p>")),
    Repeats::new("consent", BEHIND, |_| once("<p>Accept all</p>")),
    Repeats::new("author boxes", BEHIND, |_| once("<p>About the author</p><p>Ada Lind</p>")),
    Repeats::new("share", PAGE, |_| once("<p>Share on Facebook</p>")),
    Repeats::new("credits", PAGE, |_| once("<p>Photo by Ada Lind</p>")),
    Repeats::new("credits in boxes", PAGE, |_| {
        format!("<div><div><p>Photo: Ada Lind</p></div></div><p>{PROSE}</p>")
    }),
    Repeats::new("prompts in boxes", PAGE, |_| {
        format!(
            "<div><div><div><p>Subscribe to continue reading this article today</p></div></div></div><p>{PROSE}</p>"
        )
    }),
    Repeats::new("standfirsts", PAGE, |n| {
        format!("<div class=standfirst><p>The boats are back, says {n}</p></div>")
    }),
    Repeats::new("consent dialogs", BEHIND, |_| {
        once(
            "<div id=cmp class=consent><p>We and our partners use cookies, and ask for your consent to that.</p>\
             <input type=checkbox><button>Accept all</button></div>",
        )
    }),
    Repeats::new("offers between paragraphs", PAGE, |n| {
        format!(
            "<p>{n} {PROSE}</p><div><h3>Harbour letter</h3><p>Subscribe to our newsletter</p><ul><li>Daily<li>Weekly</ul>\
             <a href=/letter>Sign up</a></div>"
        )
    }),
    Repeats::new(
        "lines about the author",
        [
            "<html lang=en><meta name=author content=\"Ada Lind\"><title>Ferries</title><body><h1>Ferries</h1>",
            "</body></html>",
        ],
        |_| once("<p>Ada Lind is a reporter of the Harbour Times and lives by the sea.</p>"),
    ),
    Repeats::new("texts and their copies", PAGE, |n| {
        format!("<div class=one><p>{n} {PROSE}</p></div><div class=two><p>{n} {PROSE}</p></div>")
    }),
    Repeats::new(
        "entries of a running account",
        [
            "<html lang=en><title>Ferries</title><script type=application/ld+json>{\"@type\":\"LiveBlogPosting\",\
             \"liveBlogUpdate\":[{\"@type\":\"BlogPosting\",\"articleBody\":\"1 The harbour master said on Tuesday that the ferries \
             would return to the quay before the end of the week.\"}]}</script><body><h1>Ferries</h1>",
            "</body></html>",
        ],
        |n| format!("<div class=entry><h3>14:{:02}</h3><p>{n} {PROSE}</p></div>", n % 60),
    ),
    Repeats::new("marked authors", PAGE, |n| {
        format!("<span itemprop=author><span itemprop=name>Ada Lind{n}</span></span>")
    }),
    Repeats::new("parts of the title", ["<html><title>", "</title><h1>Ferries</h1><p>Ferries"], |n| {
        format!("Harbour{n} | ")
    }),
    Repeats::new("languages", PAGE, |n| {
        once(["<p lang=de>Die Boote sind wieder da.</p>", "<p>Les bateaux sont revenus.</p>"][n % 2])
    }),
    // Markup.
    Repeats::new("paragraphs", PAGE, |_| format!("<p>{PROSE}</p>")),
    Repeats::new("different paragraphs", PAGE, |n| format!("<p>{n} {PROSE} {n}</p>")),
    Repeats::new("short paragraphs", PAGE, |_| once("<p>a</p>")),
    Repeats::new("paragraphs without end tags", PAGE, |_| once("<p>a")),
    Repeats::new("boxes", PAGE, |n| format!("<div class=c{n}><p>The boats are back.</p></div>")),
    Repeats::new("nested boxes", PAGE, |n| {
        if n % 200 < 199 { once("<div>") } else { format!("<p>Back.</p>{}", "</div>".repeat(199)) }
    }),
    Repeats::new("breaks", PAGE, |_| once("x<br>")),
    Repeats::new("captions", PAGE, |_| {
        once("<figure><img src=a.jpg><figcaption>Boats at the quay, 2024</figcaption></figure>")
    }),
    Repeats::new("images", PAGE, |n| format!("<img src={n}.jpg alt=boats>")),
    Repeats::new("links", PAGE, |n| format!("<a href=/{n}>boats</a> ")),
    Repeats::new("links to a second page", PAGE, |_| once("<a rel=next href=/news/other?page=2>2</a>")),
    Repeats::new("headlines with links", PAGE, |n| {
        format!("<div><h2><a href=/{n}>Boats are back</a></h2><p>All of them.</p></div>")
    }),
    Repeats::new("list items", PAGE, |n| format!("<li>Boat {n}")),
    Repeats::new(
        "nested lists",
        PAGE,
        |n| {
            if n % 200 < 199 { once("<ul><li>a") } else { "</ul>".repeat(199) }
        },
    ),
    Repeats::new("cells", PAGE, |n| format!("<td>{n}")),
    Repeats::new("cells of a table", ["<table><tr>", "</table>"], |n| format!("<td>{n}")),
    Repeats::new("rows", ["<table>", "</table>"], |n| format!("<tr><td>{n}<td>boats")),
    Repeats::new("tables", PAGE, |n| format!("<p>{PROSE}</p><table><tr><td>{n}<td>a<tr><td>b<td>c</table>")),
    Repeats::new("nested tables", PAGE, |n| {
        if n % 100 < 99 { once("<table><tr><td>a<td>") } else { "</table>".repeat(99) }
    }),
    Repeats::new("quotations", PAGE, |n| {
        format!("<p>{PROSE}</p><blockquote>Boats, {n} of them.</blockquote>")
    }),
    Repeats::new("nested quotations", PAGE, |n| {
        if n % 200 < 199 { once("<blockquote>a") } else { "</blockquote>".repeat(199) }
    }),
    Repeats::new("quotation marks", PAGE, |_| once("<q>a</q>")),
    Repeats::new("open quotation marks", PAGE, |_| once("\u{201c}a ")),
    Repeats::new("marks of notes", PAGE, |n| {
        format!(
            "<p>a<sup><a href=#fn{n} id=r{n}>{n}</a></sup></p><li id=fn{n}>Note <a href=#r{n}>back</a></li>"
        )
    }),
    Repeats::new("notes and bodies", PAGE, |n| {
        format!(
            "<div><p>{PROSE}<sup><a href=#fn{n}>1</a></sup></p><p>{PROSE}</p></div><div><ol><li id=fn{n}>Note.</li></ol></div>"
        )
    }),
    Repeats::new("marks of one note", PAGE, |n| format!("<sup><a href=#n id=r{n}>1</a></sup>")),
    Repeats::new("spans", PAGE, |n| format!("<span class=s{n}>a</span>")),
    Repeats::new(
        "nested spans",
        PAGE,
        |n| {
            if n % 400 < 399 { once("<span>a") } else { "</span>".repeat(399) }
        },
    ),
    Repeats::new("blocks in open spans", ["<span><span><span><span><span><span><span><span>", ""], |_| {
        once("<div>a</div>")
    }),
    Repeats::new("strong", PAGE, |_| once("<b>a</b> ")),
    Repeats::new("open strong", PAGE, |_| once("<b>a<p>")),
    Repeats::new("initials", PAGE, |_| once("<span class=dropcap>T</span>he ")),
    Repeats::new("code", PAGE, |n| format!("<pre><code>let a = {n};\n</code></pre>")),
    Repeats::new("lines of code", ["<pre>", "</pre>"], |n| format!("<span class=l>let a = {n};</span>\n")),
    Repeats::new("formulas", PAGE, |n| format!("<math><mi>x</mi><mo>=</mo><mn>{n}</mn></math>")),
    Repeats::new("formulas as scripts", PAGE, |n| format!("<script type=math/tex>x={n}</script>")),
    Repeats::new("pictures of formulas", PAGE, |n| format!("<img class=tex alt=\"x={n}\">")),
    Repeats::new("ruby", PAGE, |_| once("<ruby>字<rt>じ</rt></ruby>")),
    Repeats::new("shadow roots", PAGE, |n| {
        format!(
            "<div><template shadowrootmode=open><slot name=a{n}></slot></template><p slot=a{n}>a</p></div>"
        )
    }),
    Repeats::new("slots", [PAGE[0], "</div>"], |n| {
        if n == 0 {
            once("<div><template shadowrootmode=open><slot name=a></slot><slot></slot></template>")
        } else {
            once("<p slot=a>a</p>")
        }
    }),
    Repeats::new("templates", PAGE, |_| once("<template><p>a</p></template>")),
    Repeats::new("noscript", PAGE, |_| once("<noscript><p>a</p></noscript>")),
    Repeats::new("noscript with images", PAGE, |n| format!("<noscript><img src={n}.jpg></noscript>")),
    Repeats::new("hidden", PAGE, |_| once("<p hidden>The boats are back.</p>")),
    Repeats::new("hidden by style", PAGE, |_| once("<p style=\"display: none\">The boats are back.</p>")),
    Repeats::new("forms", PAGE, |_| once("<form class=newsletter><input><p>Mail</p></form>")),
    Repeats::new("fields", PAGE, |_| once("<input type=text>")),
    Repeats::new("articles", PAGE, |n| format!("<article><h2>Boats {n}</h2><p>{PROSE}</p></article>")),
    Repeats::new("comment boxes", PAGE, |_| format!("<div class=comment><p>{PROSE}</p></div>")),
    Repeats::new("cards", PAGE, |n| {
        format!("<div class=card><a href=/{n}><img src=a><h3>Boats</h3><p>All back.</p></a></div>")
    }),
    Repeats::new("times of a live blog", PAGE, |n| format!("<p>14:{:02}</p><p>{PROSE}</p>", n % 60)),
    Repeats::new("classes", PAGE, |n| {
        let mut classes = String::new();
        for at in 0..20 {
            write!(classes, " word{n}-{at}").unwrap();
        }
        format!("<p class=\"{classes}\">a</p>")
    }),
    Repeats::new("one long class", ["<p class=\"", "\">a</p>"], |n| format!("word{n} ")),
    Repeats::new("attributes", PAGE, |n| format!("<p a=1 b=2 c=3 d=4 id=i{n} data-x=y>a</p>")),
    Repeats::new("same ids", PAGE, |_| once("<p id=a><a href=#a>a</a></p>")),
    // The head.
    Repeats::new("meta elements", HEAD, |n| format!("<meta name=n{n} content=c{n}>")),
    Repeats::new("meta dates", HEAD, |_| once("<meta name=date content=x4>")),
    Repeats::new("meta authors", HEAD, |n| format!("<meta name=author content=\"Ada Lind{n}\">")),
    Repeats::new("one list of authors", ["<meta name=author content=\"", "\"><p>a"], |n| {
        format!("Ada Lind{n}, ")
    }),
    Repeats::new("meta keywords", HEAD, |n| format!("<meta property=article:tag content=boat{n}>")),
    Repeats::new("one list of keywords", ["<meta name=keywords content=\"", "\"><p>a"], |n| {
        format!("boat{n}, ")
    }),
    Repeats::new("meta titles", HEAD, |n| format!("<meta property=og:title content=\"Boats {n}\">")),
    Repeats::new("canonical links", HEAD, |n| format!("<link rel=canonical href=/{n}>")),
    Repeats::new("alternate links", HEAD, |n| {
        format!("<link rel=alternate type=application/rss+xml href=/{n} title=\"Boats {n}\">")
    }),
    Repeats::new("AMP links", HEAD, |n| format!("<link rel=amphtml href=/{n}>")),
    Repeats::new("titles", HEAD, |n| format!("<title>Boats {n}</title>")),
    Repeats::new("one title of parts", ["<title>", "</title><p>a"], |n| format!("Boats {n} | ")),
    Repeats::new("one heading of parts", ["<title>Boats</title><h1>", "</h1><p>a"], |n| {
        format!("<span>Boats {n}</span>: ")
    }),
    Repeats::new("one long heading", ["<title>Boats</title><h1>", "</h1><p>a"], |n| format!("Boats {n} - ")),
    Repeats::new("scripts", HEAD, |n| format!("<script>let a = {n};</script>")),
    Repeats::new("state of a script", ["<script>x=\"", "\"</script>"], |_| {
        once("\\u003cp\\u003eA boat.\\u003c/p\\u003e")
    }),
    Repeats::new("starts of paragraphs in a script", ["<script>x=\"", "\"</script>"], |_| once("<p")),
    Repeats::new("gaps in a script", ["<script>x=\"", "\"</script>"], |_| once("<p></p>\"")),
    Repeats::new("starts of scripts", ["", ""], |_| once("<script")),
    Repeats::new("JSON-LD blocks", HEAD, |n| {
        format!(
            "<script type=application/ld+json>{{\"@type\":\"NewsArticle\",\"headline\":\"Boats {n}\",\"author\":\"Ada\"}}</script>"
        )
    }),
    Repeats::new("JSON-LD nodes", ["<script type=application/ld+json>[", "{}]</script><p>a"], |n| {
        format!("{{\"@type\":\"NewsArticle\",\"@id\":\"#{n}\",\"headline\":\"Boats {n}\"}},")
    }),
    Repeats::new("JSON-LD web pages", ["<script type=application/ld+json>[", "{}]</script><p>a"], |n| {
        format!(
            "{{\"@type\":\"WebPage\",\"@id\":\"#{n}\",\"author\":{{\"@id\":\"#0\"}},\"publisher\":{{\"@id\":\"#0\"}},\"image\":{{\"@id\":\"#0\"}}}},"
        )
    }),
    Repeats::new(
        "JSON-LD authors",
        ["<script type=application/ld+json>{\"@type\":\"Article\",\"author\":[", "{}]}</script><p>a"],
        |n| format!("{{\"name\":\"Ada Lind{n}\"}},"),
    ),
    Repeats::new(
        "references to one author",
        ["<script type=application/ld+json>{\"@type\":\"Article\",\"author\":[", "{}]}</script><p>a"],
        |n| {
            if n == 0 {
                format!("{{\"@type\":\"Person\",\"@id\":\"#a\",\"name\":\"{}\"}},", "Ada Lind ".repeat(200))
            } else {
                once("{\"@id\":\"#a\"},")
            }
        },
    ),
    Repeats::new(
        "references to a list",
        [
            "<script type=application/ld+json>[{\"@type\":\"Person\",\"@id\":\"#a\",\"name\":\"Ada\"},",
            "{}]</script><p>a",
        ],
        |_| once("{\"@type\":\"Article\",\"author\":{\"@id\":\"#a\"}},"),
    ),
    Repeats::new("nested JSON-LD", ["<script type=application/ld+json>[", "0]</script><p>a"], |n| {
        if n % 60 < 59 { once("{\"a\":") } else { format!("1{},", "}".repeat(59)) }
    }),
    Repeats::new(
        "bare marks in JSON-LD",
        ["<script type=application/ld+json>{\"a\":\"", "\"}</script><p>a"],
        |_| once("\""),
    ),
    Repeats::new(
        "bare marks and spaces in JSON-LD",
        ["<script type=application/ld+json>{\"a\":\"", "\"}</script><p>a"],
        |_| once("\" "),
    ),
    Repeats::new(
        "bare marks and commas in JSON-LD",
        ["<script type=application/ld+json>{\"a\":\"", "\"}</script><p>a"],
        |_| once("\", a"),
    ),
    Repeats::new("open JSON-LD", ["<script type=application/ld+json>", "</script><p>a"], |_| {
        once("{\"a\":[")
    }),
    Repeats::new(
        "keys without values in JSON-LD",
        ["<script type=application/ld+json>{", "</script><p>a"],
        |n| format!("\"a{n}\" "),
    ),
    Repeats::new("comments in JSON-LD", ["<script type=application/ld+json>{", "</script><p>a"], |_| {
        once("/*a*/ <!-- b -->,")
    }),
    Repeats::new("blocks beside a stated body", PAGE, |n| {
        format!(
            "<script type=application/ld+json>{{\"@type\":\"LiveBlogPosting\",\"articleBody\":\"{n} {PROSE}\"}}</script>\
             <p>{PROSE} {n}</p>"
        )
    }),
    Repeats::new("bodies of entries", ["<script type=application/ld+json>[", "{}]</script><p>a"], |n| {
        format!("{{\"@type\":\"LiveBlogPosting\",\"articleBody\":\"Boats {n}.\"}},")
    }),
    // Characters.
    Repeats::new("words", PAGE, |_| once("boat ")),
    Repeats::new("one long word", PAGE, |_| once("boat")),
    Repeats::new("white space", PAGE, |_| once(" \n\t")),
    Repeats::new("signs", PAGE, |_| once("| - : / ")),
    Repeats::new("digits", PAGE, |_| once("20240504 ")),
    Repeats::new("ideographs", PAGE, |_| once("港口渡轮")),
    Repeats::new("references", PAGE, |_| once("&amp;&#x41;")),
    Repeats::new("combining marks", PAGE, |_| once("a\u{301}\u{323}")),
    Repeats::new("a mark on marks", PAGE, |_| once("\u{323}\u{301}")),
    Repeats::new("tags", PAGE, |_| once("</p>")),
    Repeats::new("end tags of formatting", PAGE, |_| once("</b></i></a>")),
    Repeats::new("comments of markup", PAGE, |_| once("<!-- a -->")),
    Repeats::new("open comments", PAGE, |_| once("<!--")),
    Repeats::new("brackets", PAGE, |_| once("<")),
];

/// Every kind of construct that the feed parser searches for.
pub(crate) const FEEDS: &[Repeats] = &[
    Repeats::new("entries", RSS, |n| {
        format!(
            "<item><title>Boats {n}</title><link>https://harbour.example/{n}</link><guid>{n}</guid></item>"
        )
    }),
    Repeats::new("entries of one link", RSS, |n| {
        format!("<item><title>Boats {n}</title><link>https://harbour.example/</link></item>")
    }),
    Repeats::new("entries of one guid", RSS, |n| {
        format!("<item><title>Boats {n}</title><guid>a</guid></item>")
    }),
    Repeats::new("one entry over and over", RSS, |_| once("<item><title>a</title><guid>a</guid></item>")),
    Repeats::new("entries without anything", RSS, |_| once("<item/>")),
    Repeats::new("dated entries", RSS, |n| {
        format!("<item><title>a{n}</title><pubDate>{} May 2024 10:00 CEST</pubDate></item>", n % 28 + 1)
    }),
    Repeats::new("odd dates", RSS, |n| {
        format!("<item><title>a{n}</title><pubDate>am {n}. Mai 2024 um 10</pubDate></item>")
    }),
    Repeats::new("entries with content", RSS, |n| {
        format!("<item><guid>{n}</guid><content:encoded><![CDATA[<p>{PROSE}</p>]]></content:encoded></item>")
    }),
    Repeats::new("entries with tracking", RSS, |n| {
        format!("<item><title>a</title><link>https://harbour.example/?utm_source={n}</link></item>")
    }),
    Repeats::new("categories", ENTRY, |n| format!("<category>boat{n}</category>")),
    Repeats::new("same categories", ENTRY, |_| once("<category>boat</category>")),
    Repeats::new("authors", ENTRY, |n| format!("<author>Ada Lind{n}</author>")),
    Repeats::new("creators", ENTRY, |n| format!("<dc:creator>Ada Lind{n}</dc:creator>")),
    Repeats::new("enclosures", ENTRY, |n| {
        format!("<enclosure url=\"https://a.example/{n}.mp3\" type=\"audio/mpeg\"/>")
    }),
    Repeats::new("same enclosures", ENTRY, |_| {
        once("<enclosure url=\"https://a.example/a.mp3\" type=\"audio/mpeg\"/>")
    }),
    Repeats::new("keywords of an entry", [ENTRY[0], "</media:keywords></item></channel></rss>"], |n| {
        if n == 0 { once("<media:keywords>") } else { format!("boat{n}, ") }
    }),
    Repeats::new("one list of authors of an entry", [ENTRY[0], "</author></item></channel></rss>"], |n| {
        if n == 0 { once("<author>") } else { format!("Ada Lind{n} and ") }
    }),
    Repeats::new("podcasts", RSS, |n| {
        format!(
            "<item xmlns:i=\"http://www.itunes.com/dtds/podcast-1.0.dtd\"><guid>{n}</guid><i:author>Ada Lind</i:author>\
             <i:summary>Boats</i:summary><i:duration>10:00</i:duration></item>"
        )
    }),
    Repeats::new("bases", ENTRY, |n| format!("<link xml:base=\"https://a.example/{n}/\">boats</link>")),
    Repeats::new(
        "RDF entries",
        [
            "<rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\" xmlns=\"http://purl.org/rss/1.0/\">\
             <channel rdf:about=\"https://harbour.example/\"><title>Harbour</title></channel>",
            "</rdf:RDF>",
        ],
        |n| {
            format!(
                "<item rdf:about=\"https://harbour.example/{n}\"><title>Boats {n}</title><link>https://harbour.example/{n}</link></item>"
            )
        },
    ),
    Repeats::new("media", ENTRY, |n| format!("<media:content url=\"https://a.example/{n}.jpg\"/>")),
    Repeats::new("groups of media", ENTRY, |n| {
        format!("<media:group><media:thumbnail url=\"https://a.example/{n}.jpg\"/></media:group>")
    }),
    Repeats::new("links of an entry", ENTRY, |n| format!("<link>https://harbour.example/{n}</link>")),
    Repeats::new("descriptions", ENTRY, |n| format!("<description>Boats {n}</description>")),
    Repeats::new("dates of an entry", ENTRY, |_| once("<pubDate>4 May 2024</pubDate>")),
    Repeats::new("one long description", [ENTRY[0], "</item></channel></rss>"], |n| {
        if n == 0 { once("<description>") } else { format!("&lt;p&gt;{PROSE}&lt;/p&gt;") }
    }),
    Repeats::new("plain text with signs", [ENTRY[0], "</item></channel></rss>"], |n| {
        if n == 0 { once("<description>") } else { once("a &lt; b &amp;amp; ") }
    }),
    Repeats::new("nested elements", ENTRY, |n| if n % 100 < 99 { once("<a>b") } else { "</a>".repeat(99) }),
    Repeats::new("open elements", ENTRY, |_| once("<a>")),
    Repeats::new("end tags of nothing", ENTRY, |_| once("</a>")),
    Repeats::new("attributes of one element", ["<rss", "><channel/></rss>"], |n| format!(" a{n}=\"b\"")),
    Repeats::new("namespaces", ["<rss", "><channel/></rss>"], |n| format!(" xmlns:a{n}=\"b{n}\"")),
    Repeats::new("nested namespaces", ENTRY, |n| format!("<a xmlns:p{n}=\"u{n}\"/>")),
    Repeats::new("entities", RSS, |_| once("&nbsp;&eacute;&#8217;&bogus;")),
    Repeats::new(
        "declared entities",
        ["<!DOCTYPE rss [", "]><rss><channel><title>&a1;</title></channel></rss>"],
        |n| format!("<!ENTITY a{n} \"b{n}\">"),
    ),
    Repeats::new("bare ampersands", RSS, |_| once("a & b < c ")),
    Repeats::new("mojibake", ENTRY, |_| once("<category>Ã¼Ã¤â€™</category>")),
    Repeats::new("CDATA", ENTRY, |_| once("<![CDATA[a]]>")),
    Repeats::new("open CDATA", ENTRY, |_| once("<![CDATA[")),
    Repeats::new("instructions", ENTRY, |_| once("<?a b?>")),
    Repeats::new("comments of XML", ENTRY, |_| once("<!-- a -->")),
    Repeats::new("open comments of XML", ENTRY, |_| once("<!--")),
    Repeats::new("feed images", RSS, |n| format!("<image><url>https://a.example/{n}</url></image>")),
    Repeats::new("hubs", RSS, |n| {
        format!("<link xmlns=\"http://www.w3.org/2005/Atom\" rel=\"hub\" href=\"https://a.example/{n}\"/>")
    }),
    Repeats::new("skipped hours", RSS, |n| format!("<skipHours><hour>{}</hour></skipHours>", n % 24)),
    Repeats::new("links of an Atom entry", ATOM, |n| {
        format!("<link rel=\"alternate\" href=\"https://a.example/{n}\"/>")
    }),
    Repeats::new("authors of an Atom entry", ATOM, |n| format!("<author><name>Ada Lind{n}</name></author>")),
    Repeats::new("categories of an Atom entry", ATOM, |n| format!("<category term=\"boat{n}\"/>")),
    Repeats::new("contents of an Atom entry", ATOM, |_| once("<content type=\"html\">a</content>")),
    Repeats::new("XHTML of an Atom entry", [ATOM[0], "</div></content></entry></feed>"], |n| {
        if n == 0 { once("<content type=\"xhtml\"><div>") } else { once("<p>a</p>") }
    }),
    Repeats::new("JSON entries", JSON, |n| {
        format!("{{\"id\":\"{n}\",\"url\":\"https://a.example/{n}\",\"content_text\":\"a\"}},")
    }),
    Repeats::new("JSON entries of one link", JSON, |_| {
        once("{\"url\":\"https://a.example/\",\"title\":\"a\"},")
    }),
    Repeats::new("JSON tags", JSON_ENTRY, |n| format!("\"boat{n}\",")),
    Repeats::new(
        "JSON authors",
        [
            "{\"version\":\"https://jsonfeed.org/version/1.1\",\"items\":[{\"id\":\"1\",\"authors\":[",
            "{}]}]}",
        ],
        |n| format!("{{\"name\":\"Ada Lind{n}\"}},"),
    ),
    Repeats::new(
        "JSON attachments",
        [
            "{\"version\":\"https://jsonfeed.org/version/1.1\",\"items\":[{\"id\":\"1\",\"attachments\":[",
            "{}]}]}",
        ],
        |n| format!("{{\"url\":\"https://a.example/{n}\",\"mime_type\":\"audio/mpeg\"}},"),
    ),
    Repeats::new("nested JSON", JSON, |n| {
        if n % 100 < 99 { once("{\"a\":") } else { format!("1{},", "}".repeat(99)) }
    }),
    Repeats::new("open JSON", JSON, |_| once("{\"a\":[")),
    Repeats::new("broken JSON", JSON, |_| once("{\"id\":\"\"a\"\"},")),
    Repeats::new("lone surrogates", JSON, |n| format!("{{\"id\":\"{n}\",\"title\":\"\\ud83d\"}},")),
];

/// Texts for deduplication.
pub(crate) const TEXTS: &[Repeats] = &[
    Repeats::new("one sentence", ["", ""], |_| format!("{PROSE}\n\n")),
    Repeats::new("different sentences", ["", ""], |n| format!("{n} {PROSE} {n}\n\n")),
    Repeats::new("lines", ["", ""], |_| once("a\n")),
    Repeats::new("words", ["", ""], |n| format!("boat{n} ")),
    Repeats::new("one word", ["", ""], |_| once("boat ")),
    Repeats::new("one long word", ["", ""], |_| once("boat")),
    Repeats::new("ideographs", ["", ""], |_| once("港口渡轮")),
    Repeats::new("white space", ["", ""], |_| once(" \n")),
    Repeats::new("combining marks", ["", ""], |_| once("\u{323}\u{301}")),
    Repeats::new("signs", ["", ""], |_| once("- . ")),
];
