//! Tables over a page from which the features are computed, each built in one pass.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use html5ever::local_name;

use crate::extract::account::Line;
use crate::extract::blocks::hash::Hashed;
use crate::extract::blocks::measure::Measure;
use crate::extract::blocks::{Block, Document, Kind};
use crate::extract::evidence::headline::{Headline, Likeness};
use crate::extract::evidence::kinds::Said;
use crate::extract::evidence::stated::stated;
use crate::extract::words::classes::Traits;
use crate::extract::words::phrases::{Match, Phrases, first_two_letters, fold};

/// What is known about a page before any block is scored.
pub(crate) struct Context<'a> {
    pub(crate) document: &'a Document,
    pub(crate) matches: Vec<Option<Match>>,
    /// Traits of the container and of the boxes around it, counting only boxes with less than two fifths of the page's words.
    pub(crate) small_box_traits: Vec<Traits>,
    pub(crate) all_traits: Vec<Traits>,
    /// The block that is the headline.
    pub(crate) title_at: Option<usize>,
    pub(crate) headline: &'a Headline,
    entry_lead: Option<String>,
    lead_opening: Option<[char; 2]>,
    /// Running sums over the blocks.
    words: Vec<f32>,
    link_words: Vec<f32>,
    prose: Vec<f32>,
    tags: Vec<u8>,
    /// Number of blocks on each path.
    paths: Vec<usize>,
    /// How often each text occurs on the page.
    texts: HashMap<u64, usize, BuildHasherDefault<Hashed>>,
    /// Number of boxes on each path.
    boxes_on_path: Vec<usize>,
    /// The longest run of consecutive blocks on each path.
    runs: Vec<usize>,
    /// The path with most of the running text, the path of the box that holds most of it, and that box.
    pub(crate) main_path: usize,
    pub(crate) main_parent_path: usize,
    main: usize,
    relations: Vec<usize>,
    /// Running sums of pictures and players, and of form fields, between the blocks.
    media: Vec<u32>,
    fields: Vec<u32>,
    /// How many `article` elements the page has.
    pub(crate) article_tags: usize,
    /// Whether the body stated by the page's metadata or the feed entry contains each block; `None` if none is stated.
    stated_body: Option<Vec<bool>>,
    /// What kind of page it declares itself to be.
    pub(crate) said: Said,
    /// Whether the page declares itself a live blog.
    pub(crate) is_liveblog: bool,
    /// Share of the running text in boxes named as comments, and in the box that holds most of it.
    pub(crate) comment_share: f32,
    pub(crate) main_share: f32,
}

/// What page metadata and feed entry say about the article's text.
#[derive(Clone, Copy, Default)]
pub(crate) struct Hints<'a> {
    /// How the article or its summary starts.
    pub(crate) lead: Option<&'a str>,
    /// The whole body, as stated elsewhere.
    pub(crate) body: Option<&'a str>,
    /// What kind of page it is.
    pub(crate) said: Said,
    /// Whether the page declares itself a live blog.
    pub(crate) is_liveblog: bool,
}

/// Returns whether a block is running text rather than a label or a row of links.
fn is_prose(measure: &Measure) -> bool {
    const LEAST_WORDS: f32 = 12.0;
    const MOST_LINKS: f32 = 0.4;
    /// More words make a sentence, whatever they end with.
    const WORDS_OF_SENTENCE: f32 = 30.0;
    measure.words >= LEAST_WORDS
        && measure.link_share < MOST_LINKS
        && (measure.ends_sentence || measure.sentences > 0 || measure.words > WORDS_OF_SENTENCE)
}

impl<'a> Context<'a> {
    pub(crate) fn new(
        document: &'a Document,
        headline: &'a Headline,
        hints: Hints<'_>,
        phrases: &Phrases,
    ) -> Self {
        let blocks = &document.blocks;
        let matches: Vec<Option<Match>> =
            blocks.iter().map(|block| phrases.find(document.text_of(block), block.measure.words)).collect();
        let sums = |value: &dyn Fn(&Measure) -> f32| {
            let mut sums = Vec::with_capacity(blocks.len() + 1);
            let mut sum = 0.0;
            sums.push(sum);
            for block in blocks {
                sum += value(&block.measure);
                sums.push(sum);
            }
            sums
        };
        let words = sums(&|measure| measure.words);
        let link_words = sums(&|measure| measure.words * measure.link_share);
        let prose = sums(&|measure| if is_prose(measure) { measure.words } else { 0.0 });
        let path_count = document.path_count();
        let mut paths = vec![0; path_count];
        let mut texts: HashMap<u64, usize, BuildHasherDefault<Hashed>> = HashMap::default();
        for block in blocks {
            paths[document.path_of(block)] += 1;
            *texts.entry(block.text_hash).or_default() += 1;
        }
        let entry_lead = hints
            .lead
            .map(|lead| fold(&lead.chars().take(80).collect::<String>()))
            .filter(|lead| lead.len() > 20);
        let mut context = Self {
            document,
            matches,
            small_box_traits: Vec::new(),
            all_traits: Vec::new(),
            title_at: None,
            headline,
            lead_opening: entry_lead.as_deref().and_then(first_two_letters),
            entry_lead,
            words,
            link_words,
            prose,
            tags: document.containers.iter().map(|container| tag_index(&container.tag)).collect(),
            paths,
            texts,
            boxes_on_path: vec![0; path_count],
            runs: vec![0; path_count],
            main_path: 0,
            main_parent_path: 0,
            main: 0,
            relations: Vec::new(),
            media: Vec::with_capacity(blocks.len() + 1),
            fields: Vec::with_capacity(blocks.len() + 1),
            article_tags: document
                .containers
                .iter()
                .filter(|container| container.tag == local_name!("article"))
                .count(),
            stated_body: stated(document, hints.body),
            said: hints.said,
            is_liveblog: hints.is_liveblog,
            comment_share: 0.0,
            main_share: 0.0,
        };
        context.inherit_traits();
        context.find_title();
        context.count_gaps();
        context.count_paths();
        context.find_main();
        context.count_shares();
        context
    }

    /// Returns the blocks as the rules see them.
    pub(crate) fn lines(&self) -> Vec<Line<'a>> {
        let line = |(at, block): (usize, &'a Block)| Line {
            block,
            text: self.document.text_of(block),
            found: self.matches[at],
            is_title: self.headline.is_said_by(self.document, at),
        };
        self.document.blocks.iter().enumerate().map(line).collect()
    }

    fn inherit_traits(&mut self) {
        const SMALL: f32 = 0.4;
        for (at, container) in self.document.containers.iter().enumerate() {
            let mut small = if self.share(at) < SMALL { container.traits } else { Traits::empty() };
            let mut all = container.traits;
            if at > 0 {
                small.insert(self.small_box_traits[container.parent]);
                all.insert(self.all_traits[container.parent]);
            }
            self.small_box_traits.push(small);
            self.all_traits.push(all);
        }
    }

    /// Finds the heading that repeats the title, else the first `h1`, else any block that repeats the title.
    fn find_title(&mut self) {
        let blocks = &self.document.blocks;
        let headings =
            || blocks.iter().enumerate().filter(|(_, block)| matches!(block.kind, Kind::Heading(_)));
        let says_title = |at: usize| self.headline.likeness(at) == Likeness::Same;
        self.title_at = headings()
            .find(|(at, _)| says_title(*at))
            .or_else(|| headings().find(|(_, block)| block.kind == Kind::Heading(1)))
            .map(|(at, _)| at)
            .or_else(|| (0..blocks.len()).find(|&at| says_title(at)));
    }

    fn count_gaps(&mut self) {
        let (mut media, mut fields) = (0, 0);
        for block in &self.document.blocks {
            self.media.push(media);
            self.fields.push(fields);
            media += u32::from(block.gap.images) + u32::from(block.gap.players);
            fields += u32::from(block.gap.fields);
        }
        self.media.push(media);
        self.fields.push(fields);
    }

    fn count_paths(&mut self) {
        for container in &self.document.containers {
            self.boxes_on_path[container.path] += 1;
        }
        let (mut before, mut run) = (usize::MAX, 0);
        for block in &self.document.blocks {
            let path = self.document.path_of(block);
            run = if path == before { run + 1 } else { 1 };
            before = path;
            self.runs[path] = run.max(self.runs[path]);
        }
    }

    /// Finds the main box, the one whose own paragraphs hold the most running text: the body is most likely there.
    fn find_main(&mut self) {
        let document = self.document;
        let mut by_path = vec![0.0; document.path_count()];
        let mut by_parent = vec![0.0; document.containers.len()];
        for (at, block) in document.blocks.iter().enumerate() {
            let container = &document.containers[block.container];
            by_path[container.path] += self.prose_at(at);
            by_parent[container.parent] += self.prose_at(at);
        }
        let mut best = (0.0, 0);
        for (at, prose) in by_parent.iter().enumerate() {
            if *prose > best.0 {
                best = (*prose, at);
            }
        }
        self.main = best.1;
        self.main_parent_path = document.containers[self.main].path;
        let mut best = 0.0;
        for block in &document.blocks {
            let path = document.path_of(block);
            if by_path[path] > best {
                best = by_path[path];
                self.main_path = path;
            }
        }
        // For every box outside the main box: how many levels above the main box their paths meet. For those inside: how many
        // levels below it they are.
        let mut ups = vec![None; document.containers.len()];
        let mut at = self.main;
        for up in 0.. {
            ups[at] = Some(up);
            if at == 0 {
                break;
            }
            at = document.containers[at].parent;
        }
        let main = &document.containers[self.main];
        let mut meets = vec![(0_usize, 0_usize); document.containers.len()];
        for at in 0..document.containers.len() {
            let container = &document.containers[at];
            meets[at] = match ups[at] {
                Some(up) => (up, 0),
                None => (meets[container.parent].0, meets[container.parent].1 + 1),
            };
            let (up, down) = meets[at];
            let relation = if up == 0 {
                down.min(4)
            } else if container.first < main.first {
                4 + up.min(5)
            } else {
                10 + up.min(5)
            };
            self.relations.push(relation);
        }
    }

    fn count_shares(&mut self) {
        let in_comments = |at: &usize| self.is_in_comments(*at);
        let comments: f32 =
            (0..self.document.blocks.len()).filter(in_comments).map(|at| self.prose_at(at)).sum();
        let all = self.prose(0).max(1.0);
        self.comment_share = comments / all;
        self.main_share = self.prose(self.main) / all;
    }

    /// Returns whether a box around the block is named as comments.
    pub(crate) fn is_in_comments(&self, at: usize) -> bool {
        self.all_traits[self.document.blocks[at].container].intersects(Traits::COMMENT)
    }

    /// Returns the position of a box relative to the main one: 0 to 4 for levels inside; 5 to 9 for levels outside and before
    /// it, 11 to 15 after it.
    pub(crate) fn main_relation(&self, container: usize) -> usize {
        self.relations[container]
    }

    /// Returns how many boxes of the page have the path of this one.
    pub(crate) fn boxes_on_path(&self, container: usize) -> usize {
        self.boxes_on_path[self.document.containers[container].path]
    }

    pub(crate) fn path_run(&self, container: usize) -> usize {
        self.runs[self.document.containers[container].path]
    }

    /// Returns the number of pictures and players, and of form fields, per block inside `container`.
    pub(crate) fn gap_density(&self, container: usize) -> (f32, f32) {
        let container = &self.document.containers[container];
        let blocks = (container.end - container.first).max(1) as f32;
        let density = |sums: &[u32]| (sums[container.end] - sums[container.first]) as f32 / blocks;
        (density(&self.media), density(&self.fields))
    }

    /// Returns whether `container` holds form fields.
    pub(crate) fn has_fields(&self, container: usize) -> bool {
        let container = &self.document.containers[container];
        // Fields at the end of a box are counted with the next block.
        let end = (container.end + 1).min(self.document.blocks.len());
        self.fields[end] > self.fields[container.first]
    }

    /// Returns whether the stated body contains the block.
    pub(crate) fn is_stated(&self, at: usize) -> bool {
        self.stated_body.as_ref().is_some_and(|stated| stated[at])
    }

    /// Returns the same for the model: 0 if no body is stated, 1 if it lacks the block, 2 if it contains it.
    pub(crate) fn stated_body(&self, at: usize) -> usize {
        self.stated_body.as_ref().map_or(0, |stated| 1 + usize::from(stated[at]))
    }

    fn sum(&self, sums: &[f32], container: usize) -> f32 {
        let container = &self.document.containers[container];
        sums[container.end] - sums[container.first]
    }

    /// Returns the share of the page's words inside `container`.
    pub(crate) fn share(&self, container: usize) -> f32 {
        self.sum(&self.words, container) / self.sum(&self.words, 0).max(1.0)
    }

    pub(crate) fn link_share(&self, container: usize) -> f32 {
        self.sum(&self.link_words, container) / self.sum(&self.words, container).max(1.0)
    }

    /// Returns the number of words on the page.
    pub(crate) fn words(&self) -> f32 {
        self.sum(&self.words, 0)
    }

    /// Returns the words of running text inside `container`.
    pub(crate) fn prose(&self, container: usize) -> f32 {
        self.sum(&self.prose, container)
    }

    pub(crate) fn prose_at(&self, at: usize) -> f32 {
        self.prose[at + 1] - self.prose[at]
    }

    pub(crate) fn prose_before(&self, at: usize) -> f32 {
        self.prose[at]
    }

    /// Returns the words of running text and the share of linked words in the blocks up to `reach` away.
    pub(crate) fn window(&self, at: usize, reach: usize) -> (f32, f32) {
        let from = at.saturating_sub(reach);
        let to = (at + reach + 1).min(self.document.blocks.len());
        let words = self.words[to] - self.words[from];
        (self.prose[to] - self.prose[from], (self.link_words[to] - self.link_words[from]) / words.max(1.0))
    }

    pub(crate) fn tag(&self, container: usize) -> usize {
        usize::from(self.tags[container])
    }

    pub(crate) fn same_path_blocks(&self, container: usize) -> usize {
        self.paths[self.document.containers[container].path]
    }

    /// Returns how often the block's text occurs on the page: 0 for once, 1 for twice, 2 for more often.
    pub(crate) fn repeats(&self, at: usize) -> usize {
        let count = self.texts.get(&self.document.blocks[at].text_hash).copied().unwrap_or(1);
        count.saturating_sub(1).min(2)
    }

    /// Returns whether the block begins like the lead of the feed entry or page description: 0 if there is none, 1 no, 2 yes.
    pub(crate) fn lead(&self, at: usize) -> usize {
        let Some(lead) = &self.entry_lead else { return 0 };
        let text = self.document.text_of(&self.document.blocks[at]);
        if first_two_letters(text) != self.lead_opening {
            return 1;
        }
        let end = text.char_indices().nth(100).map_or(text.len(), |(at, _)| at);
        1 + usize::from(fold(&text[..end]).starts_with(&**lead))
    }
}

fn tag_index(tag: &html5ever::LocalName) -> u8 {
    match *tag {
        local_name!("p") => 1,
        local_name!("div") => 2,
        local_name!("li") => 3,
        local_name!("td") => 4,
        local_name!("th") | local_name!("tr") => 5,
        local_name!("h1") => 6,
        local_name!("h2") => 7,
        local_name!("h3") | local_name!("h4") => 8,
        local_name!("h5") | local_name!("h6") => 9,
        local_name!("figcaption") | local_name!("figure") => 10,
        local_name!("blockquote") => 11,
        local_name!("section") | local_name!("article") | local_name!("main") => 12,
        local_name!("header") | local_name!("footer") | local_name!("aside") | local_name!("nav") => 13,
        local_name!("dd") | local_name!("dt") => 14,
        local_name!("pre") => 15,
        _ => 0,
    }
}
