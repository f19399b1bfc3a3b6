//! Documents per second on one core: the complete detection of copies, compared with a plain SHA-256 pass over the same texts; and
//! the memory that the documents within the window take.
//!
//! 100,000 generated documents of 400 words, one in ten a copy of an earlier one: half of the copies have the same words in other
//! furniture, half are cut or continued.
//! `cargo bench --bench dedup`, or with another number of documents `cargo bench --bench dedup -- 20000`.
//! Times are CPU times where the system reports them (Linux), so that another program on the same core does not lengthen them.

#![expect(clippy::print_stdout, reason = "a benchmark prints")]

use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

use feedmill::dedup::{Index, Neighbour, Publisher, Settings, fingerprint, judge};
use feedmill::model::{Article, ArticleId, Sha256Hash, Verdict};
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

const DOCUMENTS: usize = 100_000;
const WORDS: usize = 400;
const VOCABULARY: usize = 30_000;

fn main() {
    // Cargo passes `--bench` as an argument.
    let documents = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(DOCUMENTS);
    let texts = texts(documents);
    println!(
        "{documents} documents of {WORDS} words, {} MB",
        texts.iter().map(String::len).sum::<usize>() >> 20
    );

    let timer = Timer::begin();
    let distinct: HashSet<Sha256Hash> = texts.iter().map(Sha256Hash::of).collect();
    report("SHA-256 alone", documents, timer.elapsed());
    println!("{} copies found", documents - distinct.len());

    // The small window first: the peak memory of a process never shrinks.
    for window in [documents / 20, documents] {
        let before = resident_kib();
        let timer = Timer::begin();
        let copies = judge_all(&texts, window);
        report(&format!("copies within {window} documents"), documents, timer.elapsed());
        let peak = peak_kib().zip(before).map(|(peak, before)| peak.saturating_sub(before) >> 10);
        let peak = peak.map_or_else(|| "?".to_owned(), |mib| mib.to_string());
        println!("{copies} copies found; at most {peak} MB more than before");
    }
}

fn report(what: &str, documents: usize, elapsed: Duration) {
    let documents = u32::try_from(documents).expect("fewer than four billion");
    println!("{what}: {:.0} documents/s", f64::from(documents) / elapsed.as_secs_f64());
}

/// Judges every text against the `window` texts before it. Returns the number of copies.
fn judge_all(texts: &[String], window: usize) -> usize {
    let settings = Settings::default();
    let mut index = Index::default();
    let mut within = VecDeque::with_capacity(window);
    let mut copies = 0;
    for (number, text) in (1..).zip(texts) {
        let article = Article { text: text.clone(), ..Article::default() };
        let fingerprint = fingerprint(&article, &settings);
        let neighbours = index.neighbours(number, &fingerprint);
        let id = ArticleId(Sha256Hash::of(number.to_be_bytes()));
        let cluster_id = match judge(text, &fingerprint, &Publisher::default(), &neighbours, &settings) {
            Verdict::Original => id,
            Verdict::Duplicate(link) => {
                copies += 1;
                link.cluster_id
            }
        };
        let content_sha256 = fingerprint.content_sha256;
        let publisher = Publisher::default();
        let neighbour = Neighbour { id, cluster_id, content_sha256, text: article.text, publisher };
        index.add(number, neighbour, &fingerprint.bands);
        within.push_back((number, fingerprint));
        if within.len() > window
            && let Some((oldest, fingerprint)) = within.pop_front()
        {
            index.remove(oldest, fingerprint.content_sha256, &fingerprint.bands);
        }
    }
    copies
}

/// Measures CPU time, or wall time where the system does not report it.
struct Timer {
    cpu: Option<Duration>,
    wall: Instant,
}

impl Timer {
    fn begin() -> Self {
        Self { cpu: Self::cpu(), wall: Instant::now() }
    }

    fn elapsed(&self) -> Duration {
        match (self.cpu, Self::cpu()) {
            (Some(begun), Some(now)) => now.saturating_sub(begun),
            _ => self.wall.elapsed(),
        }
    }

    fn cpu() -> Option<Duration> {
        let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        Some(Duration::from_nanos(stat.split(' ').next()?.parse().ok()?))
    }
}

fn resident_kib() -> Option<u64> {
    status_kib("VmRSS:")
}

fn peak_kib() -> Option<u64> {
    status_kib("VmHWM:")
}

fn status_kib(field: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix(field)?.split_whitespace().next()?.parse().ok())
}

fn texts(documents: usize) -> Vec<String> {
    let mut random = SmallRng::seed_from_u64(7);
    let vocabulary: Vec<String> = (0..VOCABULARY).map(|_| word(&mut random)).collect();
    let mut texts: Vec<String> = Vec::with_capacity(documents);
    for number in 0..documents {
        let text = if number > 0 && number % 10 == 0 {
            let original = &texts[random.random_range(0..number)];
            copy(original, &vocabulary, &mut random)
        } else {
            sentences(WORDS, &vocabulary, &mut random)
        };
        texts.push(text);
    }
    texts
}

fn copy(original: &str, vocabulary: &[String], random: &mut SmallRng) -> String {
    let words: Vec<&str> = original.split(' ').collect();
    match random.random_range(0..4) {
        0 | 1 => words.join("\u{A0}\n"),
        2 => words[..words.len() * 3 / 4].join(" "),
        _ => format!("{} {}", words[words.len() / 5..].join(" "), sentences(30, vocabulary, random)),
    }
}

fn sentences(words: usize, vocabulary: &[String], random: &mut SmallRng) -> String {
    // Squaring favours the start of the vocabulary: some words are common, most are rare.
    let words: Vec<&str> = (0..words)
        .map(|_| {
            let share = random.random_range(0..VOCABULARY);
            vocabulary[share * share / VOCABULARY].as_str()
        })
        .collect();
    words.join(" ")
}

fn word(random: &mut SmallRng) -> String {
    let length = random.random_range(3..11);
    (0..length).map(|_| char::from(random.random_range(b'a'..=b'z'))).collect()
}
