//! Output formats of an article.

use std::io::{self, Write};

use jiff::Timestamp;
use serde::Serialize;
use url::Url;

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
pub(super) fn write_account(article: &Article, out: &mut impl Write) -> io::Result<()> {
    let names = article.candidates.iter().map(|candidate| candidate.name.len());
    let width = article.account.iter().map(|block| block.rule.len()).chain(names).max().unwrap_or_default();
    for selector in article.selectors.iter().filter(|selector| !selector.matches) {
        writeln!(out, "! {} matches nothing on this page", selector.name)?;
    }
    for candidate in &article.candidates {
        let fate = if candidate.is_chosen { '+' } else { '-' };
        let (name, score, words) = (candidate.name, candidate.score, candidate.words);
        writeln!(out, "{fate} {name:width$}  score {score:.2}, {words} words")?;
    }
    for block in &article.account {
        let fate = if block.kept { '+' } else { '-' };
        // Escape sequences in a hostile page must not reach the terminal.
        let text: String = block.text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        writeln!(out, "{fate} {:width$}  {text}", block.rule)?;
    }
    Ok(())
}
