//! The evidence of the host's other pages: on how many of them each block occurs, and where on them the article is.

use url::Url;

use super::headline::{Headline, Likeness};
use super::lessons::SiteEvidence;
use crate::extract::account::Account;
use crate::extract::blocks::hash::{HASH_SEED, hash_bytes, hash_text, mix};
use crate::extract::blocks::measure::Measure;
use crate::extract::blocks::{Block, Container, Document, Kind};
use crate::extract::html::text::fold_space;
use crate::extract::words::letters::{first_chars, is_unspaced};
use crate::extract::words::phrases::fold;
use crate::model::{BlockHash, Page, normalise_url};

/// What a hash identifies; part of the hash.
#[derive(Clone, Copy)]
enum Domain {
    /// The text of a block, digits masked.
    Text = 1,
    /// A path of blocks that belong to the article.
    BodyPath = 2,
    /// A path of blocks that are furniture.
    FurniturePath = 3,
    /// The path of the box that holds the body.
    BodyBox = 4,
    /// All kept text.
    Choice = 5,
    /// All kept text together with the headline.
    TitledChoice = 6,
    /// The text of a block that reports numbers, digits included.
    Report = 7,
    /// The canonical address that a page states.
    Canonical = 8,
}

fn block_hash(domain: Domain, value: u64) -> BlockHash {
    BlockHash(mix(domain as u64, value))
}

/// Returns the hash of a block's text. In a label digits are counters ("3 comments") and are masked. In a sentence and in a
/// table they are the content, and tomorrow's notice may differ in nothing else.
fn text_hash(document: &Document, block: &Block) -> BlockHash {
    const LEAST_WORDS_OF_SENTENCE: f32 = 4.0;
    const MOST_WORDS_OF_LABEL: f32 = 10.0;
    let Measure { words, digit_share, ends_sentence, .. } = block.measure;
    let is_report = ends_sentence && words >= LEAST_WORDS_OF_SENTENCE
        || words > MOST_WORDS_OF_LABEL
        || block.kind == Kind::TableRow;
    if digit_share == 0.0 || !is_report {
        return block_hash(Domain::Text, block.text_hash);
    }
    let text = document.text_of(block).bytes();
    let numbers = hash_bytes(text.map(|byte| if byte.is_ascii_digit() { byte } else { b' ' }));
    block_hash(Domain::Report, mix(block.text_hash, numbers))
}

fn path_hash_of(document: &Document, block: &Block) -> u64 {
    document.containers[block.container].path_hash
}

/// Only blocks beyond these probabilities are counted: an uncertain choice says nothing about the site.
const SURE_BODY: f32 = 0.75;
const SURE_FURNITURE: f32 = 0.2;

/// Returns the hashes that a page adds to its host's counts, each once.
pub(crate) fn block_hashes(document: &Document, headline: &Headline, account: &Account) -> Vec<BlockHash> {
    let mut hashes = Vec::with_capacity(document.blocks.len() * 2);
    for (block, fate) in document.blocks.iter().zip(account.fates()) {
        hashes.push(text_hash(document, block));
        if fate.kept && fate.probability > SURE_BODY {
            hashes.push(block_hash(Domain::BodyPath, path_hash_of(document, block)));
        } else if !fate.kept && fate.probability < SURE_FURNITURE {
            hashes.push(block_hash(Domain::FurniturePath, path_hash_of(document, block)));
        }
    }
    if let Some(body) = body_box(document, headline, account) {
        hashes.push(block_hash(Domain::BodyBox, document.containers[body].path_hash));
    }
    hashes.extend(choice_hashes(document, headline, account).into_iter().flatten());
    hashes.sort_unstable();
    hashes.dedup();
    hashes
}

/// Returns the hash of the canonical address that a page states, if it differs from the address it was found at.
pub(crate) fn canonical_hash(canonical: &Url, page: &Page) -> Option<BlockHash> {
    let address = normalise_url(canonical);
    let is_own = [&page.url, &page.final_url].into_iter().any(|own| normalise_url(own) == address);
    (!is_own).then(|| block_hash(Domain::Canonical, hash_bytes(address.bytes())))
}

/// Returns whether other pages of the host state the same canonical address: then it comes from a template.
pub(crate) fn is_shared_canonical(hash: BlockHash, site: Option<&SiteEvidence>) -> bool {
    /// A page may be fetched twice, under its own address and as a print version.
    const LEAST_OTHER_PAGES: u32 = 2;
    site.is_some_and(|site| site.count(hash) >= LEAST_OTHER_PAGES)
}

/// Returns the beginnings of the blocks' texts by hash, for inspecting what was learned about a host.
pub(crate) fn block_excerpts(document: &Document) -> Vec<(BlockHash, String)> {
    const MOST_CHARS: usize = 120;
    let excerpt = |block: &Block| {
        let text = first_chars(document.text_of(block), MOST_CHARS);
        // In all other blocks white space was folded during segmentation.
        let excerpt = match block.kind {
            Kind::Preformatted | Kind::TableRow => fold_space(text),
            _ => text.to_owned(),
        };
        (text_hash(document, block), excerpt)
    };
    document.blocks.iter().map(excerpt).collect()
}

/// Returns the innermost box that holds nearly all text that surely belongs to the article, ignoring the headline.
fn body_box(document: &Document, headline: &Headline, account: &Account) -> Option<usize> {
    const NEARLY_ALL: f32 = 0.95;
    let mut sums = Vec::with_capacity(document.blocks.len() + 1);
    let mut sum = 0.0;
    sums.push(sum);
    for (at, (block, fate)) in document.blocks.iter().zip(account.fates()).enumerate() {
        let is_body = fate.kept && fate.probability > SURE_BODY && headline.likeness(at) == Likeness::None;
        sum += if is_body { block.measure.words } else { 0.0 };
        sums.push(sum);
    }
    let holds = |at: &usize| {
        let container = &document.containers[*at];
        sums[container.end] - sums[container.first] >= sum * NEARLY_ALL
    };
    // Inner boxes come after the boxes around them.
    (0..document.containers.len()).rev().find(holds).filter(|_| sum > 0.0)
}

/// Returns the hashes of all kept text, without and with the headline. `None` if nothing is kept.
fn choice_hashes(document: &Document, headline: &Headline, account: &Account) -> Option<[BlockHash; 2]> {
    let mut hashes =
        besides_headline(headline, account).map(|at| text_hash(document, &document.blocks[at]).0).peekable();
    hashes.peek()?;
    let choice = hashes.fold(HASH_SEED, mix);
    let title = hash_text(headline.text.as_deref().unwrap_or_default());
    Some([block_hash(Domain::Choice, choice), block_hash(Domain::TitledChoice, mix(choice, title))])
}

/// Returns the kept blocks other than the headline.
fn besides_headline(headline: &Headline, account: &Account) -> impl Iterator<Item = usize> {
    account.kept().filter(|at| headline.likeness(*at) == Likeness::None)
}

/// Returns how many of the headline's words occur, by their beginnings, in the kept blocks other than the headline.
pub(crate) fn headline_words(document: &Document, headline: &Headline, account: &Account) -> usize {
    let kept = besides_headline(headline, account);
    let text: String = kept.map(|at| document.text_of(&document.blocks[at])).collect();
    let text = fold(&text);
    let title = headline.text.as_deref().unwrap_or_default();
    title.split_whitespace().flat_map(beginnings).filter(|word| text.contains(&**word)).count()
}

/// Returns the part of a word that its inflected forms share; in scripts without spaces, each pair of characters.
fn beginnings(word: &str) -> Vec<String> {
    let letters: Vec<char> = word.chars().collect();
    match letters.len() {
        _ if letters.iter().any(|&c| is_unspaced(c)) => letters.windows(2).map(String::from_iter).collect(),
        0..4 => Vec::new(),
        length => vec![letters[..length.min(5)].iter().collect()],
    }
}

/// The evidence of the host's other pages about a block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    /// Whether its text occurs on several of them.
    pub(crate) is_repeated: bool,
    /// The shift of the block's log-odds.
    pub(crate) shift: f32,
}

impl Standing {
    pub(crate) const UNKNOWN: Self = Self { is_repeated: false, shift: 0.0 };
}

/// A text on this many distinct articles belongs to the site: one other could be the article's own earlier revision, two
/// more parts of a series.
const REPEATED: u32 = 3;
/// The log-odds shift of a repeated text: the model is never certain enough to keep it.
const REPEATED_SHIFT: f32 = -6.0;
/// The log-odds shift of a path per unit of its own log-odds, and the largest shift.
const PATH_WEIGHT: f32 = 0.5;
const PATH_LIMIT: f32 = 1.5;
/// Counts that add up to less say nothing about a path.
const PATH_LEAST: u32 = 3;

/// A box is the host's body box if at least this many of its articles, and this percentage of all, had their body in it.
const BOX_LEAST: u32 = 3;
const BOX_LEAST_PERCENT: u32 = 40;
/// The log-odds shifts of blocks inside and outside of it.
const INSIDE_SHIFT: f32 = 0.8;
const OUTSIDE_SHIFT: f32 = -1.5;
/// The shift inside, if the first choice was outside.
const AGAIN_INSIDE_SHIFT: f32 = 2.5;

/// The evidence of the host's other pages about this page.
#[derive(Clone, Copy)]
pub(crate) struct Site<'a> {
    evidence: &'a SiteEvidence,
    document: &'a Document,
    /// The host's body box, if the page has exactly one.
    body_box: Option<&'a Container>,
    inside_shift: f32,
    /// A text on at least this many articles belongs to the site.
    repeated: u32,
}

impl<'a> Site<'a> {
    pub(crate) fn new(document: &'a Document, evidence: &'a SiteEvidence) -> Self {
        let least = BOX_LEAST.max(evidence.articles.saturating_mul(BOX_LEAST_PERCENT) / 100);
        let mut boxes = document.containers.iter().filter(|container| {
            container.first < container.end
                && evidence.count(block_hash(Domain::BodyBox, container.path_hash)) >= least
        });
        let body_box = boxes.next().filter(|_| boxes.next().is_none());
        Self { evidence, document, body_box, inside_shift: INSIDE_SHIFT, repeated: REPEATED }
    }

    /// Returns whether another page of the host gave the same text under another headline: then it is the text of neither.
    pub(crate) fn repeats_another_page(&self, headline: &Headline, account: &Account) -> bool {
        let count = |hash: BlockHash| self.evidence.count(hash);
        choice_hashes(self.document, headline, account)
            .is_some_and(|[choice, titled]| count(choice) > count(titled))
    }

    /// Returns the evidence for a second choice, with more trust in the host's body box.
    pub(crate) fn again(self) -> Self {
        Self { inside_shift: AGAIN_INSIDE_SHIFT, ..self }
    }

    /// Returns the evidence in which only texts on most of the articles belong to the site.
    pub(crate) fn more_cautious(self) -> Self {
        Self { repeated: REPEATED.max(self.evidence.articles / 2 + 1), ..self }
    }

    /// Returns the evidence in which no text belongs to the site.
    pub(crate) fn without_texts(self) -> Self {
        Self { repeated: u32::MAX, ..self }
    }

    /// Returns which blocks are outside the host's body box, if hardly any kept text is inside although the box holds text.
    pub(crate) fn outside_body_box(&self, account: &Account) -> Option<Vec<bool>> {
        const LEAST_WORDS: f32 = 40.0;
        const HARDLY_ANY: f32 = 0.2;
        let inside = self.body_box.map(|body| body.first..body.end)?;
        let blocks = &self.document.blocks;
        let (mut held, mut kept, mut kept_inside) = (0.0, 0.0, 0.0);
        for (at, block) in blocks.iter().enumerate() {
            let (words, is_kept) = (block.measure.words, account.is_kept(at));
            held += if inside.contains(&at) { words } else { 0.0 };
            kept += if is_kept { words } else { 0.0 };
            kept_inside += if is_kept && inside.contains(&at) { words } else { 0.0 };
        }
        let is_elsewhere = held >= LEAST_WORDS && kept_inside <= kept * HARDLY_ANY;
        is_elsewhere.then(|| (0..blocks.len()).map(|at| !inside.contains(&at)).collect())
    }

    /// Evaluates the host's counts for one block.
    pub(crate) fn standing(&self, at: usize) -> Standing {
        let block = &self.document.blocks[at];
        if self.evidence.count(text_hash(self.document, block)) >= self.repeated {
            return Standing { is_repeated: true, shift: REPEATED_SHIFT };
        }
        let by_box = match self.body_box {
            None => 0.0,
            Some(body) if (body.first..body.end).contains(&at) => self.inside_shift,
            Some(_) => OUTSIDE_SHIFT,
        };
        Standing { is_repeated: false, shift: by_box + self.path_shift(block) }
    }

    fn path_shift(&self, block: &Block) -> f32 {
        let path = path_hash_of(self.document, block);
        let count = |domain: Domain| self.evidence.count(block_hash(domain, path));
        let (body, furniture) = (count(Domain::BodyPath), count(Domain::FurniturePath));
        if body + furniture < PATH_LEAST {
            return 0.0;
        }
        let odds = ((body as f32 + 0.5) / (furniture as f32 + 0.5)).ln();
        (odds * PATH_WEIGHT).clamp(-PATH_LIMIT, PATH_LIMIT)
    }
}
