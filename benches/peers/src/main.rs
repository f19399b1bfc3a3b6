//! feedmill's extraction compared with other extractors: CPU time as a multiple of scraper's bare `Html::parse_document`, and
//! scores for pages with gold.
//!
//! ```text
//! cargo run --release --manifest-path benches/peers/Cargo.toml [-- PAGES.jsonl]
//! ```
//!
//! The input has a page per line: `{"id", "url", "html", "gold": {"text"?, "title"?, "author"?, "date"?}}`. Without input, the
//! generated pages of `cargo bench --bench extract` are used, which have no gold and so no scores. Everything runs on one thread,
//! tool after tool on the same page, so that noise of the machine affects all tools alike; CPU time is measured, not wall time.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use anyhow::{Context, bail};
use feedmill::extract::{Evidence, Rules, extract};
use feedmill::model::{Page, PageBody};
use jiff::Timestamp;
use rustix::time::{ClockId, clock_gettime};
use serde::Deserialize;
use url::Url;

#[path = "../../news/mod.rs"]
mod news;
mod score;

use score::{Gold, Got, Score};

#[derive(Deserialize)]
struct Line {
    url: Url,
    html: String,
    #[serde(default)]
    gold: Gold,
}

/// An extractor: maps a page to its result; `None` if it finds no article.
type Extractor = Box<dyn Fn(&Line) -> Option<Got>>;

struct Tool {
    name: &'static str,
    extract: Extractor,
    cpu: Vec<Duration>,
    score: Score,
    panics: u32,
}

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let (path, None) = (arguments.next(), arguments.next()) else { bail!("usage: peers [PAGES.jsonl]") };
    let lines = match path {
        Some(path) => lines_of(&path)?,
        None => generated(),
    };
    let mut tools = tools()?;
    let mut baseline = Duration::ZERO;
    let mut pages = 0_u32;
    for line in lines {
        let line = line?;
        pages += 1;
        baseline += timed(|| drop(std::hint::black_box(scraper::Html::parse_document(&line.html)))).0;
        for tool in &mut tools {
            let (cpu, got) = timed(|| catch_unwind(AssertUnwindSafe(|| (tool.extract)(&line))));
            tool.cpu.push(cpu);
            tool.panics += u32::from(got.is_err());
            tool.score.add(&line.gold, &got.ok().flatten().unwrap_or_default());
        }
    }
    print_table(pages, baseline, &mut tools);
    Ok(())
}

type Lines = Box<dyn Iterator<Item = anyhow::Result<Line>>>;

fn lines_of(path: &OsStr) -> anyhow::Result<Lines> {
    let lines = BufReader::new(File::open(path)?).lines().enumerate();
    let parse = |(number, line): (usize, std::io::Result<String>)| {
        serde_json::from_str(&line?).with_context(|| format!("line {}", number + 1))
    };
    Ok(Box::new(lines.map(parse)))
}

/// Repeats each page, since three alone are too few to measure.
fn generated() -> Lines {
    const ROUNDS: usize = 50;
    let url = Url::parse("https://quayside.example/story").expect("a URL");
    let pages = [6, 18, 80].map(news::page);
    Box::new((0..ROUNDS * pages.len()).map(move |number| {
        let html = pages[number % pages.len()].clone();
        Ok(Line { url: url.clone(), html, gold: Gold::default() })
    }))
}

fn print_table(pages: u32, baseline: Duration, tools: &mut [Tool]) {
    println!(
        "{pages} pages; scraper's parse {:.2} ms a page",
        1e3 * baseline.as_secs_f64() / f64::from(pages)
    );
    println!("{:24} {:>7} {:>9} {:>9} {:>7}  scores", "", "x parse", "ms, mean", "ms, p99", "panics");
    for tool in tools {
        let total: Duration = tool.cpu.iter().sum();
        tool.cpu.sort_unstable();
        let slowest = tool.cpu.get(tool.cpu.len() * 99 / 100).copied().unwrap_or_default();
        println!(
            "{:24} {:>7.2} {:>9.2} {:>9.2} {:>7}  {}",
            tool.name,
            total.as_secs_f64() / baseline.as_secs_f64(),
            1e3 * total.as_secs_f64() / f64::from(pages),
            1e3 * slowest.as_secs_f64(),
            tool.panics,
            tool.score,
        );
    }
}

/// Runs `work` and returns this thread's CPU time for it, and the result.
fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let now = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).expect("less than a second"))
    };
    let start = now();
    let result = work();
    (now() - start, result)
}

fn tools() -> anyhow::Result<Vec<Tool>> {
    let rules = Rules::new(&[])?;
    let fetched_at = Timestamp::now();
    let extractors: Vec<(&'static str, Extractor)> = vec![
        ("feedmill", Box::new(move |line| Some(by_feedmill(line, &rules, fetched_at)))),
        ("dom_smoothie", Box::new(|line| by_dom_smoothie(line, dom_smoothie::TextMode::Raw))),
        (
            "dom_smoothie, formatted",
            Box::new(|line| by_dom_smoothie(line, dom_smoothie::TextMode::Formatted)),
        ),
        ("trafilatura", Box::new(|line| by_trafilatura(line, trafilatura::ExtractionFocus::Balanced))),
        (
            "trafilatura, precision",
            Box::new(|line| by_trafilatura(line, trafilatura::ExtractionFocus::FavorPrecision)),
        ),
        ("rs-trafilatura", Box::new(by_rs_trafilatura)),
    ];
    let tool = |(name, extract)| Tool { name, extract, cpu: Vec::new(), score: Score::default(), panics: 0 };
    Ok(extractors.into_iter().map(tool).collect())
}

fn by_feedmill(line: &Line, rules: &Rules, fetched_at: Timestamp) -> Got {
    let page = Page {
        url: line.url.clone(),
        final_url: line.url.clone(),
        body: PageBody::Html(line.html.clone()),
        fetched_at,
    };
    let article = extract(&page, &Evidence::default(), rules);
    Got {
        text: article.text,
        title: article.metadata.title,
        authors: article.metadata.authors,
        date: article.metadata.published_at.map(|moment| moment.to_string()),
    }
}

fn by_dom_smoothie(line: &Line, text_mode: dom_smoothie::TextMode) -> Option<Got> {
    let config = dom_smoothie::Config { text_mode, ..dom_smoothie::Config::default() };
    let mut reader =
        dom_smoothie::Readability::new(line.html.as_str(), Some(line.url.as_str()), Some(config)).ok()?;
    let article = reader.parse().ok()?;
    Some(Got {
        text: article.text_content.to_string(),
        title: Some(article.title),
        authors: article.byline.into_iter().collect(),
        date: article.published_time,
    })
}

fn by_trafilatura(line: &Line, focus: trafilatura::ExtractionFocus) -> Option<Got> {
    let mut options = trafilatura::Options::default();
    options.original_url = Some(line.url.clone());
    options.focus = focus;
    options.exclude_comments = true;
    let found = trafilatura::extract(&line.html, &options).ok()?;
    Some(Got {
        text: found.content_text,
        title: Some(found.metadata.title),
        authors: vec![found.metadata.author],
        date: found.metadata.date.map(|date| date.to_string()),
    })
}

fn by_rs_trafilatura(line: &Line) -> Option<Got> {
    let options =
        rs_trafilatura::Options { url: Some(line.url.to_string()), ..rs_trafilatura::Options::default() };
    let found = rs_trafilatura::extract_with_options(&line.html, &options).ok()?;
    Some(Got {
        text: found.content_text,
        title: found.metadata.title,
        authors: found.metadata.author.into_iter().collect(),
        date: found.metadata.date.map(|date| date.to_string()),
    })
}
