//! Scores as in the article-extraction benchmarks: multisets of word 4-grams, computed per page, then averaged.

use super::*;

/// The human annotations of a page.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Gold {
    text: Option<String>,
    title: Option<String>,
    author: Option<Names>,
    date: Option<String>,
}

/// Names in one text or in a list.
#[derive(Deserialize)]
#[serde(untagged)]
enum Names {
    Text(String),
    List(Vec<String>),
}

impl Names {
    fn keys(&self) -> Vec<String> {
        let names: Vec<&str> = match self {
            Self::Text(text) => text.split([';', ',']).flat_map(|names| names.split(" and ")).collect(),
            Self::List(names) => names.iter().map(String::as_str).collect(),
        };
        names.into_iter().map(key).filter(|name| !name.is_empty()).collect()
    }
}

/// The result of a tool.
#[derive(Default)]
pub(super) struct Got {
    pub(super) text: String,
    pub(super) title: Option<String>,
    pub(super) authors: Vec<String>,
    pub(super) date: Option<String>,
}

/// Sums over pages.
#[derive(Default)]
pub(super) struct Score {
    pages: u32,
    precision: f64,
    recall: f64,
    title: Share,
    author: Share,
    date: Share,
}

#[derive(Default)]
struct Share {
    right: u32,
    of: u32,
}

impl Score {
    pub(super) fn add(&mut self, gold: &Gold, got: &Got) {
        if let Some(text) = gold.text.as_deref().filter(|text| !text.is_empty()) {
            let (want, have) = (shingles(text), shingles(&got.text));
            let hit: u32 =
                want.iter().map(|(gram, count)| (*count).min(have.get(gram).copied().unwrap_or(0))).sum();
            let share = |of: &HashMap<Vec<&str>, u32>, other: &HashMap<Vec<&str>, u32>| match of
                .values()
                .sum::<u32>()
            {
                0 => f64::from(u8::from(other.is_empty())),
                all => f64::from(hit) / f64::from(all),
            };
            self.pages += 1;
            self.precision += share(&have, &want);
            self.recall += share(&want, &have);
        }
        if let Some(title) = &gold.title {
            self.title.add(key(title) == key(got.title.as_deref().unwrap_or_default()));
        }
        let authors = gold.author.as_ref().map(Names::keys).unwrap_or_default();
        if !authors.is_empty() {
            let have = key(&got.authors.join(" "));
            self.author.add(authors.iter().all(|name| have.contains(name)));
        }
        if let Some(date) = gold.date.as_deref().filter(|date| !date.is_empty()) {
            let day = |date: &str| date.chars().take(10).collect::<String>();
            self.date.add(day(date) == got.date.as_deref().map(day).unwrap_or_default());
        }
    }
}

impl Share {
    fn add(&mut self, right: bool) {
        self.right += u32::from(right);
        self.of += 1;
    }
}

impl std::fmt::Display for Score {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.pages > 0 {
            let (precision, recall) =
                (self.precision / f64::from(self.pages), self.recall / f64::from(self.pages));
            let f1 = 2.0 * precision * recall / (precision + recall).max(f64::MIN_POSITIVE);
            write!(f, "F1 {f1:.3} (p {precision:.3} r {recall:.3})")?;
        }
        for (name, share) in [("title", &self.title), ("author", &self.author), ("date", &self.date)] {
            if share.of > 0 {
                write!(f, "  {name} {:.3}", f64::from(share.right) / f64::from(share.of))?;
            }
        }
        Ok(())
    }
}

/// Counts runs of four words; a shorter text is one run.
fn shingles(text: &str) -> HashMap<Vec<&str>, u32> {
    let words: Vec<&str> =
        text.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty()).collect();
    let mut counts = HashMap::new();
    let length = words.len().min(4);
    for run in words.windows(length.max(1)) {
        *counts.entry(run.to_vec()).or_default() += 1;
    }
    counts
}

fn key(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}
