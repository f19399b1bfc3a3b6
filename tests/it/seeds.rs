//! Texts that a tool stored with boilerplate left in, each with a gold file that labels line by line what to keep: five of our own
//! in `seeds/own`, and the five originals that they are modelled on, which are kept outside the project and are read there if
//! present.
//!
//! Every text goes through the extractor four times: in the markup of its kind of site, with each line where such a site has it
//! (`seeds/*.html`), on pages without classes or ids where each line is a `<p>` or a `<div>` among similar ones, and as plain text.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use feedmill::dedup;
use feedmill::extract::{Evidence, Rules, extract};
use feedmill::model::{Article, ArticleId, DuplicateKind, Page, PageBody, Sha256Hash, Verdict};
use jiff::{Timestamp, ToSpan};
use url::Url;

const OWN_DIR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/seeds/own");
/// Overrides the folder of the original seeds, which must then exist.
const OTHERS_DIR_VARIABLE: &str = "FEEDMILL_TEST_SEEDS_DIR";
/// Next to the project's folder.
const OTHERS_DIR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/seeds");

/// The sites: the seed of each template, and the number of its headline's line.
const SITES: &[Site] = &[
    Site { seed: "000", headline: Some(1), template: include_str!("seeds/news_cms.html") },
    Site { seed: "001", headline: Some(1), template: include_str!("seeds/newspaper.html") },
    Site { seed: "002", headline: Some(1), template: include_str!("seeds/wordpress_elementor.html") },
    Site { seed: "003", headline: Some(1), template: include_str!("seeds/ghost.html") },
    Site { seed: "004", headline: None, template: include_str!("seeds/wordpress_also_read.html") },
];

struct Site {
    seed: &'static str,
    headline: Option<usize>,
    /// A page in which `{{7}}` is replaced by line 7 of the seed.
    template: &'static str,
}

#[test]
fn seeds_come_out_clean() {
    let seeds = read_seeds();
    let rules = Rules::new(&[]).expect("the shipped rules compile");
    let mut failures = Vec::new();
    for seed in &seeds {
        for (variant, body) in variants(seed) {
            let page = page(body);
            let article = extract(&page, &Evidence::default(), &rules);
            let complaints = complaints(seed, &page, &article);
            failures.extend(
                complaints
                    .into_iter()
                    .map(|(line, complaint)| format!("{}:{line} [{variant}] {complaint}", seed.file_name)),
            );
        }
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

/// Seeds of one folder report the same event but are not copies of each other; variants that differ only in furniture are.
#[test]
fn every_seed_is_a_cluster_whatever_their_furniture() {
    let seeds = read_seeds();
    let rules = Rules::new(&[]).expect("the shipped rules compile");
    let settings = dedup::Settings::default();
    let mut index = dedup::Index::default();
    let mut clusters: BTreeMap<ArticleId, BTreeSet<&str>> = BTreeMap::new();
    let documents =
        seeds.iter().flat_map(|seed| variants(seed).into_iter().map(move |(_, body)| (seed, body)));
    for (number, (seed, body)) in (1..).zip(documents) {
        let article = extract(&page(body), &Evidence::default(), &rules);
        let fingerprint = dedup::fingerprint(&article, &settings);
        let id = ArticleId(Sha256Hash::of(number.to_string()));
        let neighbours = index.neighbours(number, &fingerprint);
        let publisher = dedup::Publisher::default();
        let cluster_id = match dedup::judge(&article.text, &fingerprint, &publisher, &neighbours, &settings) {
            Verdict::Original => id,
            Verdict::Duplicate(link) => link.cluster_id,
        };
        clusters.entry(cluster_id).or_default().insert(&seed.file_name);
        let content_sha256 = fingerprint.content_sha256;
        let neighbour = dedup::Neighbour { id, cluster_id, content_sha256, text: article.text, publisher };
        index.add(number, neighbour, &fingerprint.bands);
    }
    assert_eq!(clusters.len(), seeds.len(), "{clusters:?}");
    assert!(clusters.values().all(|members| members.len() == 1), "{clusters:?}");
}

/// The same lines in the furniture of their own site and of another site.
#[test]
fn a_seed_under_two_hosts_furniture_is_an_exact_copy() {
    let seeds = read_seeds();
    let settings = dedup::Settings::default();
    let rules = Rules::new(&[]).expect("the shipped rules compile");
    for seed in seeds.iter().map(Seed::without_what_may_go_either_way) {
        let seed = &seed;
        let hash_of = |html: String| {
            let article = extract(&page(PageBody::Html(html)), &Evidence::default(), &rules);
            dedup::fingerprint(&article, &settings).content_sha256
        };
        assert_eq!(hash_of(in_site_markup(seed)), hash_of(in_bare_markup(seed, "p")), "{}", seed.file_name);
    }
}

/// A typical reuse of agency text: the first two thirds, under a different headline.
#[test]
fn a_seed_that_was_cut_and_given_another_headline_is_a_near_copy() {
    let seeds = read_seeds();
    let settings = dedup::Settings::default();
    let rules = Rules::new(&[]).expect("the shipped rules compile");
    for seed in &seeds {
        let whole = extract(&page(PageBody::Html(in_site_markup(seed))), &Evidence::default(), &rules);
        let earlier = dedup::fingerprint(&whole, &settings);
        let paragraphs: Vec<&str> = whole.text.split("\n\n").collect();
        let cut: String = paragraphs[..paragraphs.len() * 2 / 3]
            .iter()
            .map(|text| format!("<p>{}</p>", escape(text)))
            .collect();
        let html = format!("<main><h1>What the monitor learned this week</h1>{cut}</main>");
        let copy = extract(&page(PageBody::Html(html)), &Evidence::default(), &rules);
        let fingerprint = dedup::fingerprint(&copy, &settings);
        let id = ArticleId(Sha256Hash::of("earlier"));
        let content_sha256 = earlier.content_sha256;
        let publisher = dedup::Publisher::default();
        let neighbour = dedup::Neighbour {
            id,
            cluster_id: id,
            content_sha256,
            text: whole.text,
            publisher: publisher.clone(),
        };
        let mut index = dedup::Index::default();
        index.add(1, neighbour, &earlier.bands);
        let neighbours = index.neighbours(2, &fingerprint);
        match dedup::judge(&copy.text, &fingerprint, &publisher, &neighbours, &settings) {
            Verdict::Duplicate(link) => assert_eq!(link.kind, DuplicateKind::Near, "{}", seed.file_name),
            Verdict::Original => panic!("{}: no copy", seed.file_name),
        }
    }
}

#[test]
fn templates_have_a_place_for_every_line() {
    let seeds = read_seeds();
    for seed in &seeds {
        let missing: Vec<usize> = seed
            .gold
            .keys()
            .copied()
            .filter(|line| !seed.site().template.contains(&format!("{{{{{line}}}}}")))
            .collect();
        assert!(
            missing.is_empty(),
            "lines of {} without a place in its template: {missing:?}",
            seed.file_name
        );
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Label {
    Keep,
    Drop,
    Meta,
    Either,
}

struct Seed {
    file_name: String,
    text: String,
    /// Labels of the non-blank lines, by line number from 1.
    gold: BTreeMap<usize, Label>,
}

impl Seed {
    fn line(&self, number: usize) -> &str {
        self.text.lines().nth(number - 1).unwrap_or_else(|| panic!("{} has no line {number}", self.file_name))
    }

    /// Returns the lines with one of `labels`, white space folded.
    fn lines(&self, labels: &[Label]) -> impl Iterator<Item = (usize, String)> {
        self.gold
            .iter()
            .filter(|(_, label)| labels.contains(label))
            .map(|(&number, _)| (number, fold(self.line(number))))
    }

    /// Returns the seed with blank lines in place of those that may be kept or dropped.
    fn without_what_may_go_either_way(&self) -> Self {
        let is_either = |number| self.gold.get(&number).is_some_and(|label| *label == Label::Either);
        let lines =
            (1..).zip(self.text.lines()).map(|(number, line)| if is_either(number) { "" } else { line });
        let text = lines.collect::<Vec<_>>().join("\n");
        Self { file_name: self.file_name.clone(), text, gold: self.gold.clone() }
    }

    fn site(&self) -> &'static Site {
        SITES
            .iter()
            .find(|site| self.file_name.starts_with(site.seed))
            .unwrap_or_else(|| panic!("{} has no template", self.file_name))
    }
}

/// Reads our own seeds and the originals. If those are missing, prints a note past the test harness's capture.
fn read_seeds() -> Vec<Seed> {
    let mut seeds = read_folder(Path::new(OWN_DIR));
    let named = std::env::var_os(OTHERS_DIR_VARIABLE).map(PathBuf::from);
    let dir = named.clone().unwrap_or_else(|| PathBuf::from(OTHERS_DIR));
    if dir.is_dir() {
        seeds.extend(read_folder(&dir));
        return seeds;
    }
    assert!(named.is_none(), "{OTHERS_DIR_VARIABLE} names no folder: {}", dir.display());
    let absent = format!(
        "\nNOTHING WAS TESTED ON OTHERS' SEEDS: {} is not a folder\nhint: set {OTHERS_DIR_VARIABLE}\n\n",
        dir.display()
    );
    std::io::stderr().write_all(absent.as_bytes()).unwrap();
    seeds
}

fn read_folder(dir: &Path) -> Vec<Seed> {
    let mut gold: BTreeMap<String, BTreeMap<usize, Label>> = BTreeMap::new();
    for row in std::fs::read_to_string(dir.join("gold.tsv")).unwrap().lines() {
        if row.starts_with('#') || row.is_empty() {
            continue;
        }
        let [file_name, line, label] = row.split('\t').collect::<Vec<_>>()[..] else {
            panic!("gold.tsv: not three columns: {row:?}")
        };
        let label = match label {
            "keep" => Label::Keep,
            "drop" => Label::Drop,
            "meta" => Label::Meta,
            "either" => Label::Either,
            other => panic!("gold.tsv: unknown label {other:?}"),
        };
        gold.entry(file_name.to_owned()).or_default().insert(line.parse().unwrap(), label);
    }
    assert!(!gold.is_empty(), "{}: gold.tsv is empty", dir.display());
    let read = |(file_name, gold): (String, BTreeMap<usize, Label>)| {
        let text = std::fs::read_to_string(dir.join(&file_name)).unwrap();
        Seed { file_name, text, gold }
    };
    gold.into_iter().map(read).collect()
}

#[derive(Clone, Copy)]
enum Variant {
    Site,
    Bare(&'static str),
    Text,
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Site => f.write_str("site markup"),
            Self::Bare(element) => write!(f, "bare <{element}>"),
            Self::Text => f.write_str("plain text"),
        }
    }
}

fn variants(seed: &Seed) -> Vec<(Variant, PageBody)> {
    let mut variants = vec![
        (Variant::Site, PageBody::Html(in_site_markup(seed))),
        (Variant::Text, PageBody::Text(seed.text.clone())),
    ];
    for element in ["p", "div"] {
        variants.push((Variant::Bare(element), PageBody::Html(in_bare_markup(seed, element))));
    }
    variants
}

fn in_site_markup(seed: &Seed) -> String {
    seed.gold.keys().fold(seed.site().template.to_owned(), |html, &number| {
        html.replace(&format!("{{{{{number}}}}}"), &escape(seed.line(number)))
    })
}

fn in_bare_markup(seed: &Seed, element: &str) -> String {
    let headline = seed.site().headline.map_or("A page".to_owned(), |number| escape(seed.line(number)));
    let mut html = format!(
        "<!DOCTYPE html><html><head><meta charset=\"utf-8\"><title>{headline}</title></head><body>\n\
         <div><a href=\"/\">Quayside Monitor</a> <a href=\"/w\">World</a> <a href=\"/b\">Business</a> \
         <a href=\"/s\">Sport</a> <a href=\"/c\">Contact</a></div>\n<div>\n"
    );
    for number in seed.gold.keys() {
        writeln!(html, "<{element}>{}</{element}>", escape(seed.line(*number))).unwrap();
    }
    html.push_str(
        "</div>\n<div><a href=\"/p\">Privacy policy</a> <a href=\"/t\">Terms of use</a></div>\n\
         <div>© 2025 Quayside Monitor. All rights reserved.</div>\n</body></html>\n",
    );
    html
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn page(body: PageBody) -> Page {
    let url = Url::parse("https://news.example/stories/1").unwrap();
    Page { url: url.clone(), final_url: url, body, fetched_at: "2025-09-20T10:00:00Z".parse().unwrap() }
}

/// Returns what is wrong with `article`, by line of the seed; line 0 is for text that is in no line.
fn complaints(seed: &Seed, page: &Page, article: &Article) -> Vec<(usize, String)> {
    let text = fold(&article.text);
    let title = article.metadata.title.as_deref().map(fold).unwrap_or_default();
    let wanted: Vec<String> = seed.lines(&[Label::Keep]).map(|(_, line)| line).collect();
    let accepted: Vec<String> = seed.lines(&[Label::Keep, Label::Either]).map(|(_, line)| line).collect();
    let mut complaints = Vec::new();

    // Occurrences are counted because lines may be part of other lines or occur twice: a headline repeated as a caption is one too
    // many, a name inside a kept sentence is not.
    for (number, line) in seed.lines(&[Label::Keep]) {
        let expected: usize = wanted.iter().map(|wanted| occurrences(wanted, &line)).sum();
        if occurrences(&text, &line) + usize::from(title == line) < expected {
            complaints.push((number, format!("lost: {}", cut(&line))));
        }
    }
    for (number, line) in seed.lines(&[Label::Drop, Label::Meta]) {
        let allowed: usize = accepted.iter().map(|accepted| occurrences(accepted, &line)).sum();
        if occurrences(&text, &line) > allowed {
            complaints.push((number, format!("left in: {}", cut(&line))));
        }
    }
    for line in article.text.lines().map(fold).filter(|line| !line.is_empty()) {
        let ours = |accepted: &String| accepted.contains(&line) || line.contains(accepted);
        if line != title && !accepted.iter().any(ours) {
            complaints.push((0, format!("none of the article's lines: {}", cut(&line))));
        }
    }
    for (number, line) in seed.lines(&[Label::Meta]) {
        if let Some(complaint) = metadata_complaint(&line, page.fetched_at, article) {
            complaints.push((number, complaint));
        }
    }
    complaints
}

/// Checks a line of metadata: a byline, or an age in weeks.
fn metadata_complaint(line: &str, fetched_at: Timestamp, article: &Article) -> Option<String> {
    if let Some(author) = line.strip_prefix("By ").or_else(|| line.strip_prefix("by ")) {
        return (article.metadata.authors != [author])
            .then(|| format!("authors are {:?}, not {author:?}", article.metadata.authors));
    }
    let weeks: i64 = line.strip_suffix(" weeks ago").expect("a byline or an age in weeks").parse().unwrap();
    let expected = fetched_at - (weeks * 7 * 24).hours();
    let day = |time: Timestamp| time.strftime("%F").to_string();
    (article.metadata.published_at.map(day) != Some(day(expected)))
        .then(|| format!("published at {:?}, not on the day of {expected}", article.metadata.published_at))
}

/// Counts how often `line` occurs in `text` without an adjoining letter or digit.
fn occurrences(text: &str, line: &str) -> usize {
    let joins = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    text.match_indices(line)
        .filter(|(at, _)| {
            !joins(text[..*at].chars().next_back()) && !joins(text[at + line.len()..].chars().next())
        })
        .count()
}

fn fold(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn cut(line: &str) -> String {
    line.chars().take(70).collect()
}
