//! Generated news pages in the proportions of real ones.
//!
//! The median page of the extraction benchmarks has some 80 KB: a fifth of it script and style, more than half of it tags (620, of
//! 60 to 70 bytes, with 1.6 attributes each), a tenth of it text (950 words), 116 links and 18 paragraphs. A generated page of 18
//! paragraphs is close to that: 65 KB, a quarter of it script and style, 610 tags.

/// The words of all sentences: nobody's copyright applies to the pages.
const WORDS: &[&str] = &[
    "harbour",
    "the",
    "crew",
    "of",
    "Meridian",
    "repaired",
    "a",
    "rudder",
    "and",
    "counted",
    "barrels",
    "in",
    "week",
    "nobody",
    "asked",
    "them",
    "to",
    "master",
    "who",
    "had",
    "seen",
    "worse",
    "let",
    "it",
    "pass",
    "without",
    "word",
    "council",
    "voted",
    "on",
    "Tuesday",
    "ferry",
    "left",
    "for",
    "first",
    "time",
    "since",
    "storm",
    "orchard",
    "was",
    "sold",
    "library",
    "opens",
    "again",
    "after",
    "years",
    "with",
    "new",
    "windows",
    "price",
    "bread",
    "rose",
    "by",
    "per",
    "cent",
    "engineers",
    "found",
    "crack",
    "bridge",
    "near",
    "mill",
    "school",
    "children",
    "painted",
    "signal",
];

/// Words in a pseudo-random order, the same in every run.
struct Words(u32);

impl Words {
    fn next(&mut self) -> &'static str {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        WORDS[self.0 as usize / 65_536 % WORDS.len()]
    }

    fn phrase(&mut self, words: usize) -> String {
        (0..words).map(|_| self.next()).collect::<Vec<_>>().join(" ")
    }

    fn paragraph(&mut self) -> String {
        let sentences = (0..3).map(|n| {
            let phrase = self.phrase(11 + 2 * n);
            let linked = if n == 1 {
                format!(
                    r#"<a href="https://quayside.example/topics/{}?ref=story" class="story-link">{}</a> "#,
                    self.next(),
                    self.phrase(2)
                )
            } else {
                String::new()
            };
            format!("{linked}{}{}. ", phrase[..1].to_uppercase(), &phrase[1..])
        });
        sentences.collect()
    }
}

/// A page whose article has this many paragraphs.
pub(crate) fn page(paragraphs: usize) -> String {
    let mut words = Words(7);
    let title = words.phrase(8);
    let body: String = (0..paragraphs)
        .map(|n| {
            format!("          <p class=\"story__paragraph\" data-block=\"{n}\">{}</p>\n", words.paragraph())
        })
        .collect();
    let menu: String = (0..36)
        .map(|n| {
            format!(
                "        <li class=\"nav__item nav__item--level-1\" id=\"menu-item-{n}\">\n          <a class=\"nav__link\" \
                 href=\"https://quayside.example/section/{0}/{n}/\" data-track=\"nav|main|{n}\"><span>{0}</span></a>\n        </li>\n",
                words.next()
            )
        })
        .collect();
    let teasers: String = (0..26)
        .map(|n| {
            let (headline, slug) = (words.phrase(5), words.phrase(4).replace(' ', "-"));
            format!(
                "      <div><div class=\"card card--teaser grid__cell grid__cell--4\">\n        <a class=\"card__link\" \
                 href=\"https://quayside.example/2026/03/{slug}-{n}\">\n          <img class=\"card__image lazy\" \
                 src=\"data:image/gif;base64,R0lGODlhAQABAAAAACw=\" data-src=\"https://img.quayside.example/{n}/320x180.jpg\" \
                 srcset=\"https://img.quayside.example/{n}/320x180.jpg 320w, https://img.quayside.example/{n}/640x360.jpg 640w, \
                 https://img.quayside.example/{n}/960x540.jpg 960w\" sizes=\"(min-width: 60em) 25vw, 50vw\" width=\"320\" \
                 height=\"180\" alt=\"\">\n          <span class=\"card__body\"><span class=\"card__kicker\"><b>{}</b></span>\n            \
                 <strong class=\"card__title\">{headline}</strong></span>\n        </a>\n        <time class=\"card__time\" \
                 datetime=\"2026-03-04T08:{n:02}:00+01:00\">{n} min ago</time><i></i>\n      </div></div>\n",
                words.next()
            )
        })
        .collect();
    let shares: String = ["mail", "print", "messenger", "copy", "feed"]
        .iter()
        .map(|way| {
            format!(
                "          <li class=\"share__item\"><a class=\"share__link share__link--{way}\" rel=\"nofollow noopener\" \
                 href=\"https://{way}.example/share?url=https%3A%2F%2Fquayside.example%2Fstory\" aria-label=\"{way}\">\
                 <svg class=\"icon\" viewBox=\"0 0 24 24\"><path d=\"M4 4h16v16H4z M8 8l8 8 M16 8l-8 8\"/></svg></a></li>\n"
            )
        })
        .collect();
    let comments: String = (0..8)
        .map(|n| {
            format!(
                "        <li class=\"comment comment--depth-1\" id=\"comment-{n}\"><div class=\"comment__meta\"><cite class=\"comment__author\">\
                 Reader {n}</cite></div>\n          <p class=\"comment__text\">{}.</p></li>\n",
                words.phrase(9)
            )
        })
        .collect();
    let metas: String = (0..24)
        .map(|n| format!("  <meta name=\"{}:{n}\" content=\"{}\">\n", words.next(), words.phrase(6)))
        .collect();
    let styles = ".grid__cell{display:block;margin:0 0 1rem}.card>a:hover{color:#036}".repeat(40);
    let script = "window.settings=window.settings||[];\nif(a<b&&c){settings.push({a:1,b:[2,3],c:\"<b>\"+d+\"</b>\"});}\n".repeat(140);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n  <meta charset=\"utf-8\">\n  <title>{title} | Quayside</title>\n  <meta property=\"og:title\" \
         content=\"{title}\">\n  <meta property=\"og:site_name\" content=\"Quayside\">\n  <link rel=\"canonical\" href=\"https://quayside.example/story\">\n\
         {metas}  <script type=\"application/ld+json\">{{\"@context\":\"https://schema.org\",\"@type\":\"NewsArticle\",\"headline\":\"{title}\",\
         \"datePublished\":\"2026-03-04T07:30:00+01:00\",\"author\":[{{\"@type\":\"Person\",\"name\":\"Ada Lind\"}}]}}</script>\n  <style>{styles}</style>\n  \
         <script>{script}</script>\n</head>\n<body class=\"page page--story\">\n  <header class=\"header\">\n    <nav class=\"nav\" role=\"navigation\">\n      \
         <ul class=\"nav__list\">\n{menu}      </ul>\n    </nav>\n  </header>\n  <main id=\"content\" class=\"layout\">\n    <article class=\"story\">\n      \
         <h1 class=\"story__headline\">{title}</h1>\n      <div class=\"story__byline\">By <a rel=\"author\" href=\"/staff/ada-lind\">Ada Lind</a>, \
         <time datetime=\"2026-03-04T07:30:00+01:00\">4 March 2026</time></div>\n        <ul class=\"share\">\n{shares}        </ul>\n        \
         <div class=\"story__body\">\n{body}        </div>\n    </article>\n    <aside class=\"related grid\">\n{teasers}    </aside>\n    \
         <section class=\"comments\" id=\"comments\">\n      <ol class=\"comments__list\">\n{comments}      </ol>\n    </section>\n  </main>\n  \
         <footer class=\"footer\">\n      <ul class=\"footer__list\">\n{menu}      </ul>\n    <p class=\"footer__note\">© 2026 Quayside</p>\n  </footer>\n\
         </body>\n</html>\n"
    )
}
