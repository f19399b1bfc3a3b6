//! `feedmill dedup`: finds duplicates among arbitrary texts, by the daemon's rules.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;

use anyhow::Context;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, civil};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{DONE_IN_PART, Global, terminal};
use crate::dedup::{Index, Neighbour, Publisher, Settings, fingerprint, judge};
use crate::model::{Article, ArticleId, DuplicateKind, Fingerprint, Sha256Hash, Verdict};

/// Number of lines read and fingerprinted at a time.
const CHUNK: usize = 512;

const BATCH_HELP: &str = r#"Read JSON lines {"id","text","published_at"?} and print {"id","cluster_id","duplicate_of","kind","score"} for
each, in input order. A text is a copy of one that came before it, within the configured window"#;

/// Find duplicates among texts.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Read JSON lines and print one for each, in input order
    #[arg(long, required = true, long_help = BATCH_HELP)]
    batch: bool,
    /// Number of threads [default: all cores]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZero<usize>>,
    /// File to read; `-` is standard input
    #[arg(value_name = "FILE", default_value = "-")]
    file: PathBuf,
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<ExitCode> {
    let settings = global.start()?.dedup;
    let jobs = args.jobs.or_else(|| thread::available_parallelism().ok()).map_or(1, NonZero::get);
    let input: Box<dyn BufRead> = if args.file == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        let file = File::open(&args.file).with_context(|| format!("cannot open {}", args.file.display()))?;
        Box::new(BufReader::new(file))
    };
    let mut out = BufWriter::new(terminal::stdout());
    let mut batch = Batch {
        settings,
        index: Index::default(),
        members: HashMap::new(),
        window: VecDeque::new(),
        last: None,
    };
    let mut failed = 0_u64;
    let mut lines = input.lines();
    loop {
        let chunk: Vec<String> =
            lines.by_ref().take(CHUNK).collect::<io::Result<_>>().context("cannot read the input")?;
        if chunk.is_empty() {
            break;
        }
        for read in read_documents(&chunk, jobs, &batch.settings) {
            match read {
                Ok(document) => serde_json::to_writer(&mut out, &batch.judge(document))?,
                Err(unread) => {
                    failed += 1;
                    serde_json::to_writer(&mut out, &unread)?;
                }
            }
            out.write_all(b"\n")?;
        }
    }
    out.flush()?;
    if failed > 0 {
        eprintln!("cannot read {failed} lines; hint: \"error\" in their output gives the causes");
        return Ok(ExitCode::from(DONE_IN_PART));
    }
    Ok(ExitCode::SUCCESS)
}

/// One line of the input.
#[derive(Deserialize)]
struct Line {
    id: Value,
    text: String,
    #[serde(default)]
    published_at: Option<String>,
}

struct Document {
    id: Value,
    text: String,
    published_at: Option<Timestamp>,
    fingerprint: Fingerprint,
}

/// The output for a line that cannot be read.
#[derive(Serialize)]
struct Unread {
    id: Value,
    error: String,
}

/// The output for a document.
#[derive(Serialize)]
struct Judged {
    id: Value,
    cluster_id: Value,
    duplicate_of: Option<Value>,
    kind: Option<DuplicateKind>,
    score: Option<f64>,
}

/// Parses and fingerprints lines on `jobs` threads; skips blank lines.
fn read_documents(lines: &[String], jobs: usize, settings: &Settings) -> Vec<Result<Document, Unread>> {
    let share = lines.len().div_ceil(jobs).max(1);
    thread::scope(|scope| {
        let workers: Vec<_> = lines
            .chunks(share)
            .map(|lines| {
                scope.spawn(move || -> Vec<_> {
                    let lines = lines.iter().filter(|line| !line.trim().is_empty());
                    lines.map(|line| read_document(line, settings)).collect()
                })
            })
            .collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

fn read_document(line: &str, settings: &Settings) -> Result<Document, Unread> {
    let line: Line = serde_json::from_str(line).map_err(|error| Unread {
        id: serde_json::from_str(line).map(|mut value: Value| value["id"].take()).unwrap_or_default(),
        error: error.to_string(),
    })?;
    let published_at = match line.published_at.as_deref().map(timestamp).transpose() {
        Ok(published_at) => published_at,
        Err(error) => return Err(Unread { id: line.id, error: format!("published_at: {error}") }),
    };
    let article = Article { text: line.text, ..Article::default() };
    let fingerprint = fingerprint(&article, settings);
    Ok(Document { id: line.id, text: article.text, published_at, fingerprint })
}

/// Parses a timestamp; a date, with or without a time, that has no zone is taken as UTC.
fn timestamp(text: &str) -> Result<Timestamp, jiff::Error> {
    text.parse().or_else(|error| {
        let date_time: civil::DateTime = text.parse().map_err(|_| error)?;
        Ok(date_time.to_zoned(TimeZone::UTC)?.timestamp())
    })
}

/// The documents within the window, and their clusters.
struct Batch {
    settings: Settings,
    index: Index,
    members: HashMap<ArticleId, Member>,
    window: VecDeque<Placed>,
    /// Number and time of the last document.
    last: Option<(i64, Timestamp)>,
}

/// The names that the output for a document's copies uses.
struct Member {
    name: Arc<Value>,
    cluster_name: Arc<Value>,
}

/// What must be removed when a document leaves the window.
struct Placed {
    at: Timestamp,
    number: i64,
    id: ArticleId,
    fingerprint: Fingerprint,
}

impl Batch {
    fn judge(&mut self, document: Document) -> Judged {
        let (last_number, last_at) = self.last.unwrap_or((0, Timestamp::MIN));
        let (number, at) = (last_number + 1, document.published_at.unwrap_or(last_at));
        let now = at.max(last_at);
        self.last = Some((number, now));
        self.forget_before(now);

        let fingerprint = document.fingerprint;
        // Identify documents by number: the same name may occur twice.
        let id = ArticleId(Sha256Hash::of(number.to_be_bytes()));
        let neighbours = self.index.neighbours(number, &fingerprint);
        let publisher = Publisher::default();
        let verdict = judge(&document.text, &fingerprint, &publisher, &neighbours, &self.settings);
        let name = Arc::new(document.id);
        let (original, cluster_id) = match &verdict {
            Verdict::Original => (None, id),
            Verdict::Duplicate(link) => (self.members.get(&link.of), link.cluster_id),
        };
        let cluster_name =
            original.map_or_else(|| Arc::clone(&name), |original| Arc::clone(&original.cluster_name));
        let judged = Judged {
            id: Value::clone(&name),
            cluster_id: Value::clone(&cluster_name),
            duplicate_of: original.map(|original| Value::clone(&original.name)),
            kind: link(&verdict, |link| link.kind),
            score: link(&verdict, |link| link.score),
        };
        if fingerprint.comparable {
            let content_sha256 = fingerprint.content_sha256;
            let neighbour = Neighbour { id, cluster_id, content_sha256, text: document.text, publisher };
            self.index.add(number, neighbour, &fingerprint.bands);
            self.members.insert(id, Member { name, cluster_name });
            self.window.push_back(Placed { at, number, id, fingerprint });
        }
        judged
    }

    fn forget_before(&mut self, now: Timestamp) {
        let window = SignedDuration::try_from(self.settings.window).unwrap_or(SignedDuration::MAX);
        let Ok(start) = now.checked_sub(window) else { return };
        while let Some(oldest) = self.window.pop_front_if(|oldest| oldest.at < start) {
            self.index.remove(oldest.number, oldest.fingerprint.content_sha256, &oldest.fingerprint.bands);
            self.members.remove(&oldest.id);
        }
    }
}

fn link<T>(verdict: &Verdict, part: impl Fn(&crate::model::DuplicateLink) -> T) -> Option<T> {
    match verdict {
        Verdict::Original => None,
        Verdict::Duplicate(link) => Some(part(link)),
    }
}
