//! Documents a second on one core: the whole judgement on copies, beside a plain SHA-256 pass over the same texts.
//!
//! 100,000 generated documents of 400 words, one in ten a copy of an earlier one: half of the copies the same words in
//! other furniture, half cut or continued. `cargo bench --bench dedup`, or with another number of documents
//! `cargo bench --bench dedup -- 20000`.

#![expect(clippy::print_stdout, reason = "a benchmark prints")]

use std::time::{Duration, Instant};

use feedmill::dedup::{Index, Neighbour, Settings, fingerprint, judge};
use feedmill::model::{Article, ArticleId, Sha256Hash, Verdict};
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

const DOCUMENTS: usize = 100_000;
const WORDS: usize = 400;
const VOCABULARY: usize = 30_000;

fn main() {
    // Cargo passes `--bench` along.
    let documents = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(DOCUMENTS);
    let texts = texts(documents);

    let begun = Instant::now();
    let distinct: std::collections::HashSet<Sha256Hash> = texts.iter().map(Sha256Hash::of).collect();
    report("SHA-256 alone", documents, begun.elapsed());

    let begun = Instant::now();
    let copies = judge_all(&texts);
    report("copies", documents, begun.elapsed());
    println!("{copies} copies found, {} by a plain hash", documents - distinct.len());
}

fn report(what: &str, documents: usize, elapsed: Duration) {
    let documents = u32::try_from(documents).expect("fewer than four billion");
    println!("{what}: {:.0} documents/s", f64::from(documents) / elapsed.as_secs_f64());
}

fn judge_all(texts: &[String]) -> usize {
    let settings = Settings::default();
    let mut index = Index::default();
    let mut copies = 0;
    for (number, text) in (1..).zip(texts) {
        let article = Article { text: text.clone(), ..Article::default() };
        let fingerprint = fingerprint(&article, &settings);
        let neighbours = index.neighbours(number, &fingerprint);
        let id = ArticleId(Sha256Hash::of(number.to_be_bytes()));
        let cluster_id = match judge(text, &fingerprint, &neighbours, &settings) {
            Verdict::Original => id,
            Verdict::Duplicate(link) => {
                copies += 1;
                link.cluster_id
            }
        };
        let content_sha256 = fingerprint.content_sha256;
        index.add(
            number,
            Neighbour { id, cluster_id, content_sha256, text: article.text },
            &fingerprint.bands,
        );
    }
    copies
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
    // Squaring favours the front of the vocabulary: some words are common, most are rare.
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
