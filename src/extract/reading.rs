//! One reading of one document: its blocks, their fates and its metadata, on the way to the article.

use jiff::Timestamp;

use super::Evidence;
use crate::extract::blocks::plain;
use crate::extract::blocks::segment;
use crate::extract::blocks::{Block, Document, Kind};
use crate::extract::choose::context::{Context, Hints};
use crate::extract::choose::{self, Choice, Fate};
use crate::extract::evidence::entry;
use crate::extract::evidence::further_pages::has_second_page;
use crate::extract::evidence::host;
use crate::extract::evidence::statements;
use crate::extract::furniture::{self, Line, offers};
use crate::extract::html;
use crate::extract::judge::operator::Selected;
use crate::extract::judge::text;
use crate::extract::metadata::{self, Metadata};
use crate::extract::rules::Rules;
use crate::extract::words::classes::Traits;
use crate::extract::words::phrases::{Coverage, Furniture, Match, Section};
use crate::model::{Article, BlockAccount, BlockHash, EntryEvidence, Page, QualityFlag};

/// Bytes of a block's text that its account holds.
const ACCOUNT_BYTES: usize = 200;

/// What was made of a document.
pub(crate) struct Reading {
    pub(crate) document: Document,
    pub(crate) fates: Vec<Fate>,
    pub(crate) metadata: Metadata,
    /// Whether a guard ended the parse, or the text goes on on another page.
    pub(crate) partial: bool,
    /// Whether the page calls itself a running account, and whether it says that it is not free.
    pub(crate) statements: statements::Statements,
    /// Whether a wall's prompt stands where the text ends.
    pub(crate) has_wall: bool,
    /// Whether another page of the host has the same text under another headline.
    pub(crate) is_anothers: bool,
    /// Texts that the operator's selectors took out.
    removed: Vec<String>,
    block_hashes: Vec<BlockHash>,
}

impl Reading {
    /// Reads a web page, or the HTML inside a feed entry.
    pub(crate) fn of_html(html: &str, page: &Page, evidence: &Evidence<'_>, rules: &Rules) -> Self {
        let html::Parsed { mut tree, partial } = html::parse(html);
        let host = page.final_url.host_str().unwrap_or_default();
        let mut by_selectors = rules.site(host).map(|rules| Selected::new(&tree, rules));
        html::shown::show(&mut tree);
        let mut metadata = metadata::read(&tree, page, evidence.entry);
        let statements = statements::read(&tree);
        let partial = partial || has_second_page(&tree, &page.final_url);
        let mut removed = Vec::new();
        if let Some(selected) = &mut by_selectors {
            selected.overwrite(page.fetched_at, &mut metadata);
            removed = selected.remove_dropped(&mut tree);
        }
        let document = segment::segment(&tree, host);
        let lead = evidence.entry.and_then(entry::lead);
        let stated = evidence.entry.and_then(entry::stated_body);
        let own = Hints::new(&metadata, &statements);
        let hints = Hints { lead: lead.as_deref().or(own.lead), body: own.body.or(stated.as_deref()), ..own };
        let context = Context::new(&document, hints, &rules.phrases);
        let Choice { mut fates, is_anothers } = choose::choose(&context, &rules.models, evidence.site);
        let block_hashes = host::block_hashes(&context, &fates);
        let is_title = titles(&context);
        let operators_body = by_selectors.and_then(|selected| selected.body(&document));
        let matches = context.matches;
        let mut has_wall = false;
        if let Some(inside) = &operators_body {
            for (fate, &kept) in fates.iter_mut().zip(inside) {
                *fate = Fate { kept, rule: "operator.body", ..*fate };
            }
        } else {
            has_wall = judge_lines(&document, &matches, &is_title, &mut fates, &mut metadata, page);
        }
        Self { document, fates, metadata, partial, statements, has_wall, is_anothers, removed, block_hashes }
    }

    /// Reads plain lines.
    pub(crate) fn of_text(plain: &str, page: &Page, entry: Option<&EntryEvidence>, rules: &Rules) -> Self {
        let document = plain::segment(plain);
        let mut metadata = entry.map(metadata_of_entry).unwrap_or_default();
        metadata.title = metadata.title.or_else(|| plain::headline(&document));
        let context = Context::new(
            &document,
            Hints { title: metadata.title.as_deref(), ..Hints::default() },
            &rules.phrases,
        );
        let mut fates = vec![Fate { kept: true, rule: "body", probability: 0.8 }; document.blocks.len()];
        let block_hashes = host::block_hashes(&context, &fates);
        let is_title = titles(&context);
        let matches = context.matches;
        let has_wall = judge_lines(&document, &matches, &is_title, &mut fates, &mut metadata, page);
        metadata.language = metadata::language_of(metadata.language.as_deref(), plain);
        let statements = statements::Statements::default();
        Self {
            document,
            fates,
            metadata,
            partial: false,
            statements,
            has_wall,
            is_anothers: false,
            removed: Vec::new(),
            block_hashes,
        }
    }

    /// Words that are kept.
    pub(crate) fn words(&self) -> f32 {
        self.kept().map(|block| block.measure.words).sum()
    }

    /// The blocks that are kept.
    pub(crate) fn kept(&self) -> impl Iterator<Item = &Block> {
        self.document.blocks.iter().zip(&self.fates).filter(|(_, fate)| fate.kept).map(|(block, _)| block)
    }

    /// Puts another document's text in the place of this one's. What the page said of itself stays.
    pub(crate) fn replace_body(&mut self, other: Self, entry: &EntryEvidence) {
        self.document = other.document;
        self.fates = other.fates;
        self.has_wall = false;
        self.is_anothers = false;
        self.partial = other.partial;
        self.statements = other.statements;
        let of_entry = entry.title.as_deref().and_then(metadata::on_one_line);
        let metadata = &mut self.metadata;
        // The title of a wall or an error page is not the article's.
        metadata.title = of_entry.or(metadata.title.take()).or(other.metadata.title);
        if metadata.authors.is_empty() {
            metadata.authors = other.metadata.authors;
        }
        metadata.published_at = metadata.published_at.or(other.metadata.published_at);
        metadata.language = metadata.language.take().or(other.metadata.language);
    }

    /// How sure it is that what is kept is the article and all of it: the expected F1 of the choice.
    fn score(&self) -> f32 {
        let (mut hit, mut kept, mut all) = (0.0, 0.0, 0.0);
        for (block, fate) in self.document.blocks.iter().zip(&self.fates) {
            let expected = fate.probability * block.measure.words;
            all += expected;
            if fate.kept {
                hit += expected;
                kept += block.measure.words;
            }
        }
        if kept + all > 0.0 { (2.0 * hit / (kept + all)).clamp(0.0, 1.0) } else { 0.0 }
    }

    /// The article, with its account.
    pub(crate) fn into_article(self, quality_flags: Vec<QualityFlag>) -> Article {
        let account =
            |(block, fate): (&Block, &Fate)| account_of(fate.kept, fate.rule, self.document.text_of(block));
        let mut account: Vec<BlockAccount> =
            self.document.blocks.iter().zip(&self.fates).map(account).collect();
        account.extend(self.removed.iter().map(|text| account_of(false, "operator.drop", text)));
        let kept: Vec<bool> = self.fates.iter().map(|fate| fate.kept).collect();
        let metadata = &self.metadata;
        Article {
            text: text::render(&self.document, &kept),
            word_count: self.kept().map(|block| block.measure.count).sum(),
            score: self.score(),
            quality_flags,
            account,
            title: metadata.title.clone(),
            description: metadata.description.clone(),
            authors: metadata.authors.clone(),
            published_at: metadata.published_at,
            modified_at: metadata.modified_at,
            utc_offset: metadata.utc_offset,
            language: metadata.language.clone(),
            canonical_url: metadata.canonical_url.clone(),
            site_name: metadata.site_name.clone(),
            section: metadata.section.clone(),
            tags: metadata.tags.clone(),
            image: metadata.image.clone(),
            license: metadata.license.clone(),
            block_hashes: self.block_hashes,
        }
    }
}

fn account_of(kept: bool, rule: &str, text: &str) -> BlockAccount {
    BlockAccount {
        kept,
        rule: rule.to_owned(),
        text: text[..text.floor_char_boundary(ACCOUNT_BYTES)].to_owned(),
    }
}

/// What a feed entry says, for a document that says nothing of itself.
fn metadata_of_entry(entry: &EntryEvidence) -> Metadata {
    Metadata {
        title: entry.title.as_deref().and_then(metadata::on_one_line),
        authors: entry.authors.iter().filter_map(|author| metadata::on_one_line(author)).collect(),
        published_at: entry.published_at,
        modified_at: entry.updated_at,
        language: entry.language.clone(),
        tags: entry.tags.clone(),
        image: entry.image.clone(),
        ..Metadata::default()
    }
}

/// Lets the line rules take furniture out of what is kept, and reads bylines and datelines for the fields that are
/// still empty. Whether a wall's prompt was seen.
fn judge_lines(
    document: &Document,
    matches: &[Option<Match>],
    is_title: &[bool],
    fates: &mut [Fate],
    metadata: &mut Metadata,
    page: &Page,
) -> bool {
    let lines: Vec<Line<'_>> = document
        .blocks
        .iter()
        .zip(fates.iter())
        .zip(is_title)
        .map(|((block, fate), &is_title)| Line {
            text: document.text_of(block),
            measure: block.measure,
            is_heading: matches!(block.kind, Kind::Heading(_)),
            is_kept: fate.kept,
            is_title,
            path: document.kin_of(block),
        })
        .collect();
    let mut matches: Vec<Option<Match>> =
        document.blocks.iter().zip(matches).map(|(block, found)| found.or_else(|| credits(block))).collect();
    mark_bare_dates(document, &lines, &mut matches, page.fetched_at);
    mark_own_byline(&lines, &mut matches, &metadata.authors);
    let verdicts = furniture::judge(&lines, &matches);
    let mut has_wall = false;
    for (at, verdict) in verdicts.iter().enumerate() {
        let Some(rule) = *verdict else { continue };
        has_wall |= rule == Furniture::Paywall.rule();
        if fates[at].kept {
            fates[at] = Fate { kept: false, rule, probability: fates[at].probability * 0.5 };
        }
        // Bylines and datelines of other stories stand further away from the text.
        if !furniture::stands_with_body(&lines, at) {
            continue;
        }
        if rule == Furniture::Byline.rule() && metadata.authors.is_empty() {
            metadata.authors = metadata::authors_of_byline(lines[at].text);
        }
        if rule == Furniture::Dateline.rule() && metadata.published_at.is_none() {
            metadata.published_at = metadata::date_of_text(lines[at].text, page.fetched_at);
        }
    }
    offers::drop_offers(document, &lines, &verdicts, fates);
    drop_bio(&lines, &verdicts, fates, &metadata.authors);
    has_wall
}

/// A date alone above the first paragraph is the article's own; further down it may head a part of the text.
fn mark_bare_dates(
    document: &Document,
    lines: &[Line<'_>],
    matches: &mut [Option<Match>],
    fetched_at: Timestamp,
) {
    const LONGEST_BYTES: usize = 60;
    /// The day of the week, the month, and half of the day.
    const MOST_NAMES: usize = 3;
    let is_date = |text: &str| {
        let names = text.split_whitespace().filter(|word| word.contains(char::is_alphabetic)).count();
        text.len() <= LONGEST_BYTES
            && names <= MOST_NAMES
            && text.contains(char::is_numeric)
            && !text.contains(": ")
            && metadata::date_of_text(text, fetched_at).is_some()
    };
    let first_paragraph = lines.iter().position(|line| line.is_kept && line.measure.words > 20.0);
    for at in 0..first_paragraph.unwrap_or(0) {
        let line = &lines[at];
        let is_paragraph = matches!(document.blocks[at].kind, Kind::Paragraph);
        if line.is_kept && is_paragraph && matches[at].is_none() && is_date(line.text) {
            let coverage = Coverage::Whole;
            let (furniture, section) = (Furniture::Dateline, Section::Line);
            matches[at] = Some(Match { furniture, section, coverage, is_borne_out: true });
        }
    }
}

/// A label above the first paragraph that begins with the author's name is the byline, without the words that open one.
fn mark_own_byline(lines: &[Line<'_>], matches: &mut [Option<Match>], authors: &[String]) {
    const MOST_WORDS: f32 = 12.0;
    let names_author = |text: &str| authors.iter().any(|author| author.contains(' ') && text.starts_with(&**author));
    let first_paragraph = lines.iter().position(|line| line.is_kept && line.measure.words > 20.0);
    for (line, found) in lines.iter().zip(matches).take(first_paragraph.unwrap_or(0)) {
        if line.is_kept && found.is_none() && line.measure.words <= MOST_WORDS && names_author(line.text) {
            let (furniture, section, coverage) = (Furniture::Byline, Section::Line, Coverage::Whole);
            *found = Some(Match { furniture, section, coverage, is_borne_out: true });
        }
    }
}

/// Which blocks say the title: the same words, or a first heading that holds them.
fn titles(context: &Context<'_>) -> Vec<bool> {
    let says_title = |at: usize| match context.title_likeness(at) {
        2 => true,
        1 => context.document.blocks[at].kind == Kind::Heading(1),
        _ => false,
    };
    (0..context.document.blocks.len()).map(says_title).collect()
}

/// A short line whose markup says that it names the author or the date.
fn credits(block: &Block) -> Option<Match> {
    const MOST_WORDS: f32 = 10.0;
    if block.measure.words > MOST_WORDS
        || block.measure.ends_sentence
        || !block.inline.intersects(Traits::CREDITS)
    {
        return None;
    }
    let furniture =
        if block.inline.intersects(Traits::DATE) { Furniture::Dateline } else { Furniture::Byline };
    Some(Match { furniture, section: Section::Line, coverage: Coverage::Start, is_borne_out: true })
}

/// A last paragraph that begins with the author's name is about the author.
fn drop_bio(lines: &[Line<'_>], verdicts: &[Option<&'static str>], fates: &mut [Fate], authors: &[String]) {
    const MOST_WORDS: f32 = 80.0;
    let Some(last) = (0..lines.len()).rev().find(|&at| fates[at].kept && verdicts[at].is_none()) else {
        return;
    };
    let line = &lines[last];
    let names_author = authors.iter().any(|author| author.contains(' ') && line.text.starts_with(&**author));
    let is_all = fates[..last].iter().filter(|fate| fate.kept).count() < 3;
    if names_author && !is_all && line.measure.words <= MOST_WORDS {
        fates[last] = Fate {
            kept: false,
            rule: Furniture::AuthorBox.rule(),
            probability: fates[last].probability * 0.5,
        };
    }
}
