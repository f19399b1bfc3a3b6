//! Output formats of an article.

use std::io::{self, Write};

use console::Style;
use jiff::Timestamp;
use serde::Serialize;
use url::Url;

use crate::cli::terminal::{plain, visible};
use crate::dedup;
use crate::extract::EXTRACTOR_VERSION;
use crate::model::{Article, Metadata, QualityFlag, Sha256Hash};

/// The fields of the record that extraction sets, under the record's names.
#[derive(Serialize)]
pub(super) struct Fields<'a> {
    title: Option<&'a str>,
    text: &'a str,
    description: Option<&'a str>,
    authors: &'a [String],
    published_at: Option<String>,
    modified_at: Option<String>,
    language: Option<&'a str>,
    canonical_url: Option<&'a Url>,
    site_name: Option<&'a str>,
    hostname: Option<&'a str>,
    section: Option<&'a str>,
    tags: &'a [String],
    image: Option<&'a Url>,
    license: Option<&'a str>,
    word_count: u32,
    content_sha256: Sha256Hash,
    quality_flags: &'a [QualityFlag],
    score: f32,
    extractor_version: &'static str,
}

impl<'a> Fields<'a> {
    pub(super) fn new(article: &'a Article, url: &'a Url, dedup: &dedup::Settings) -> Self {
        let Metadata {
            title,
            description,
            authors,
            published_at,
            modified_at,
            utc_offset,
            language,
            canonical_url,
            site_name,
            section,
            tags,
            image,
            license,
        } = &article.metadata;
        // In the publisher's offset: the record has the same times in UTC.
        let local = |moment: Timestamp| match utc_offset {
            Some(offset) => moment.display_with_offset(*offset).to_string(),
            None => moment.to_string(),
        };
        Self {
            title: title.as_deref(),
            text: &article.text,
            description: description.as_deref(),
            authors,
            published_at: published_at.map(local),
            modified_at: modified_at.map(local),
            language: language.as_deref(),
            canonical_url: canonical_url.as_ref(),
            site_name: site_name.as_deref(),
            hostname: url.host_str(),
            section: section.as_deref(),
            tags,
            image: image.as_ref(),
            license: license.as_deref(),
            word_count: article.word_count,
            content_sha256: dedup::fingerprint(article, dedup).content_sha256,
            quality_flags: &article.quality_flags,
            score: article.score,
            extractor_version: EXTRACTOR_VERSION,
        }
    }
}

/// Writes the title, a blank line and the paragraphs.
pub(super) fn write_text(article: &Article, out: &mut impl Write) -> io::Result<()> {
    if let Some(title) = &article.metadata.title {
        writeln!(out, "{title}\n")?;
    }
    writeln!(out, "{}", article.text)
}

/// Writes a line per selector without a match, per candidate reading, and per block: its fate, the deciding rule, its text.
pub(super) fn write_account(article: &Article, out: &mut impl Write, colour: bool) -> io::Result<()> {
    let colours = Colours { colour };
    let names = article.candidates.iter().map(|candidate| candidate.name.len());
    let width = article.account.iter().map(|block| block.rule.len()).chain(names).max().unwrap_or_default();
    for selector in article.selectors.iter().filter(|selector| !selector.matches) {
        let mark = colours.apply(Style::new().yellow().bold(), "!");
        writeln!(out, "{mark} {} matches nothing on this page", selector.name)?;
    }
    for candidate in &article.candidates {
        let (fate, name) = (colours.fate(candidate.is_chosen), colours.name(candidate.name, width));
        let reading = format!("score {:.2}, {} words", candidate.score, candidate.words);
        writeln!(out, "{fate} {name}  {}", colours.faded_unless(candidate.is_chosen, &reading))?;
    }
    for block in &article.account {
        let (fate, rule) = (colours.fate(block.kept), colours.name(&block.rule, width));
        let text = colours.untrusted(&block.text);
        writeln!(out, "{fate} {rule}  {}", colours.faded_unless(block.kept, &text))?;
    }
    Ok(())
}

/// How the parts of an account are coloured.
#[derive(Clone, Copy)]
struct Colours {
    colour: bool,
}

impl Colours {
    fn fate(self, is_kept: bool) -> String {
        let (style, mark) = if is_kept { (Style::new().green(), "+") } else { (Style::new().red(), "-") };
        self.apply(style.bold(), mark)
    }

    fn faded_unless(self, is_kept: bool, text: &str) -> String {
        if is_kept { text.to_owned() } else { self.apply(Style::new().dim(), text) }
    }

    fn name(self, name: &str, width: usize) -> String {
        self.apply(Style::new().cyan(), &format!("{name:width$}"))
    }

    fn apply(self, style: Style, text: &str) -> String {
        if self.colour { style.force_styling(true).apply_to(text).to_string() } else { text.to_owned() }
    }

    /// Returns text of a page without characters that could control a terminal. Coloured output ends on one even where it goes
    /// through a pipe, so characters that hide or reorder text are escaped in it, too.
    fn untrusted(self, text: &str) -> String {
        let text = plain(text);
        if self.colour { visible(&text) } else { text }
    }
}
