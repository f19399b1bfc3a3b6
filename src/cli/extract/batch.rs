//! Extraction of many pages from JSON lines, on all cores, in input order and with bounded memory.
//!
//! Line n is sent to worker n modulo the number of workers, and its answer is collected from the same worker: this keeps
//! the order without a reorder buffer, and all queues are short. A worker that panics on a page reports it as that line's error.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, Write};
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use anyhow::Context;
use http::HeaderMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use super::output::Fields;
use crate::dedup;
use crate::extract::{Evidence, Rules, SiteEvidence, extract};
use crate::model::{BlockHash, EntryEvidence, Fingerprint, Page, PageBody};
use crate::pipeline::workers::panic_message;

/// Maximum length of a line; a longer one is an error and is skipped without buffering the rest.
const MAX_LINE_BYTES: u64 = 64 << 20;
/// Capacity of a worker's queue of lines, and of its queue of answers.
const QUEUE_LINES: usize = 4;
/// Stack size of a worker. Parsers recurse little, but pages are untrusted.
const STACK_BYTES: usize = 16 << 20;

/// The context shared by all lines.
pub(super) struct Batch<'a> {
    pub(super) rules: &'a Rules,
    pub(super) dedup: &'a dedup::Settings,
    pub(super) fetched_at: Timestamp,
    pub(super) jobs: NonZeroUsize,
    pub(super) counts: &'a Counts,
}

/// Progress of a batch, in lines.
#[derive(Default)]
pub(super) struct Counts {
    learned: AtomicU64,
    answered: AtomicU64,
    failed: AtomicU64,
}

impl Counts {
    /// Returns the number of lines answered, including failures.
    pub(super) fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// Returns the number of lines without an article.
    pub(super) fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let learned = self.learned.load(Ordering::Relaxed);
        if learned > 0 {
            write!(f, "learned from {learned} pages, ")?;
        }
        write!(f, "{} pages answered ({} failed)", self.answered(), self.failed())
    }
}

/// An input line.
struct Line {
    /// Line number, from 1.
    number: u64,
    bytes: Result<Vec<u8>, TooLong>,
}

struct TooLong;

/// The request in a line.
#[derive(Deserialize)]
struct Request {
    #[serde(default)]
    id: Value,
    url: Option<String>,
    html: Option<String>,
    text: Option<String>,
    entry: Option<EntryEvidence>,
}

#[derive(Serialize)]
struct Answer<'a> {
    id: &'a Value,
    #[serde(flatten)]
    fields: Fields<'a>,
}

#[derive(Serialize)]
struct Failure<'a> {
    id: &'a Value,
    /// The line number, if there is no id.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    error: String,
}

impl Batch<'_> {
    /// Answers every line of `file`, or of standard input if it is `None`.
    pub(super) fn run(&self, file: Option<&Path>, out: &mut impl Write) -> anyhow::Result<()> {
        match file {
            Some(path) => self.answer_all(BufReader::new(open(path)?), &Lessons::default(), out),
            None => self.answer_all(BufReader::new(io::stdin()), &Lessons::default(), out),
        }
    }

    /// Like [`Batch::run`], in two passes: the first learns which blocks recur on the pages of a host. Spools standard input.
    pub(super) fn learn_and_run(&self, file: Option<&Path>, out: &mut impl Write) -> anyhow::Result<()> {
        let mut input = match file {
            Some(path) => open(path)?,
            None => spool(io::stdin().lock())?,
        };
        let lessons = self.learn(BufReader::new(&input))?;
        input.rewind().context("cannot read the input a second time; hint: give a regular file")?;
        self.answer_all(BufReader::new(&input), &lessons, out)
    }

    fn learn(&self, input: impl BufRead + Send) -> anyhow::Result<Lessons> {
        let mut lessons = Lessons::default();
        self.in_order(
            input,
            |line| (line.number, self.lesson(&line)),
            |(number, lesson)| {
                self.counts.learned.fetch_add(1, Ordering::Relaxed);
                if let Some(lesson) = lesson {
                    lessons.add(number, lesson);
                }
                Ok(())
            },
        )?;
        lessons.hosts.values_mut().for_each(|host| host.evidence.forget_single_blocks());
        Ok(lessons)
    }

    fn answer_all(
        &self,
        input: impl BufRead + Send,
        lessons: &Lessons,
        out: &mut impl Write,
    ) -> anyhow::Result<()> {
        self.in_order(
            input,
            |line| self.answer(&line, lessons),
            |(mut answer, succeeded)| {
                self.counts.answered.fetch_add(1, Ordering::Relaxed);
                self.counts.failed.fetch_add(u64::from(!succeeded), Ordering::Relaxed);
                answer.push(b'\n');
                out.write_all(&answer).context("cannot write to standard output")
            },
        )
    }

    /// Runs `work` on every line, on all workers, and `collect` on the results, in the order of the lines.
    fn in_order<T: Send>(
        &self,
        input: impl BufRead + Send,
        work: impl Fn(Line) -> T + Sync,
        mut collect: impl FnMut(T) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        thread::scope(|scope| {
            let mut to_workers = Vec::new();
            let mut from_workers = Vec::new();
            for _ in 0..self.jobs.get() {
                let (line_in, lines) = sync_channel(QUEUE_LINES);
                let (answer_in, answers) = sync_channel(QUEUE_LINES);
                let work = &work;
                thread::Builder::new()
                    .stack_size(STACK_BYTES)
                    .spawn_scoped(scope, move || pump(&lines, &answer_in, work))
                    .context("cannot start a thread")?;
                to_workers.push(line_in);
                from_workers.push(answers);
            }
            let reader = scope.spawn(move || deal(input, &to_workers));
            // If the next worker has hung up, it has reached the end of the input.
            for worker in (0..from_workers.len()).cycle() {
                let Ok(answer) = from_workers[worker].recv() else { break };
                collect(answer)?;
            }
            drop(from_workers);
            reader.join().expect("the reader does not panic").context("cannot read the input")
        })
    }

    /// Returns the answer to one line, and whether it is an article.
    fn answer(&self, line: &Line, lessons: &Lessons) -> (Vec<u8>, bool) {
        let request = match read_request(line) {
            Ok(request) => request,
            Err(error) => return (failure(&Value::Null, Some(line.number), error), false),
        };
        let line_number = request.id.is_null().then_some(line.number);
        let answered = request.page(self.fetched_at).and_then(|page| {
            let site = lessons.evidence(line.number, &page);
            guarded(|| {
                let announced = request.entry.clone().unwrap_or_default();
                if let Some(impostor) = super::impostor_of(&page, &HeaderMap::new(), &announced) {
                    return Err(impostor.to_string());
                }
                let evidence = Evidence { entry: request.entry.as_ref(), site: site.as_ref() };
                let article = extract(&page, &evidence, self.rules);
                let answer = Answer { id: &request.id, fields: Fields::new(&article, &page.url, self.dedup) };
                Ok(serde_json::to_vec(&answer).expect("strings, numbers and lists are always JSON"))
            })?
        });
        match answered {
            Ok(answer) => (answer, true),
            Err(error) => (failure(&request.id, line_number, error), false),
        }
    }

    /// Returns what one line teaches about its host; `None` for a line without an article.
    fn lesson(&self, line: &Line) -> Option<Lesson> {
        let request = read_request(line).ok()?;
        let page = request.page(self.fetched_at).ok()?;
        let host = page.url.host_str()?.to_owned();
        guarded(|| {
            let evidence = Evidence { entry: request.entry.as_ref(), site: None };
            let article = extract(&page, &evidence, self.rules);
            let fingerprint = dedup::fingerprint(&article, self.dedup);
            Lesson { host, title: article.metadata.title, blocks: article.block_hashes, fingerprint }
        })
        .ok()
    }
}

impl Request {
    fn page(&self, fetched_at: Timestamp) -> Result<Page, String> {
        let address = self.url.as_deref().ok_or("no url")?;
        let url = Url::parse(address).map_err(|error| format!("url {address:?}: {error}"))?;
        let body = match (&self.html, &self.text) {
            (Some(html), None) => PageBody::Html(html.clone()),
            (None, Some(text)) => PageBody::Text(text.clone()),
            (None, None) => return Err("neither html nor text".to_owned()),
            (Some(_), Some(_)) => return Err("both html and text".to_owned()),
        };
        Ok(Page { final_url: url.clone(), url, body, fetched_at })
    }
}

fn read_request(line: &Line) -> Result<Request, String> {
    match &line.bytes {
        Ok(bytes) => serde_json::from_slice(bytes).map_err(|error| format!("not a page in JSON: {error}")),
        Err(TooLong) => Err(format!("longer than {MAX_LINE_BYTES} bytes")),
    }
}

fn failure(id: &Value, line: Option<u64>, error: String) -> Vec<u8> {
    serde_json::to_vec(&Failure { id, line, error }).expect("strings and numbers are always JSON")
}

/// Returns the result of `work`, or its panic message.
fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work))
        .map_err(|payload| format!("panicked: {}", panic_message(payload.as_ref())))
}

/// Processes lines until the input ends or the collector hangs up.
fn pump<T>(lines: &Receiver<Line>, answers: &SyncSender<T>, work: &impl Fn(Line) -> T) {
    for line in lines {
        if answers.send(work(line)).is_err() {
            return;
        }
    }
}

/// Distributes the lines to the workers in turn. Stops early if a worker has hung up, as nothing is collected any more.
fn deal(mut input: impl BufRead, workers: &[SyncSender<Line>]) -> io::Result<()> {
    let mut number = 0;
    for worker in workers.iter().cycle() {
        let bytes = loop {
            match read_line(&mut input)? {
                None => return Ok(()),
                Some(Ok(bytes)) if bytes.trim_ascii().is_empty() => number += 1,
                Some(bytes) => break bytes,
            }
        };
        number += 1;
        if worker.send(Line { number, bytes }).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// Reads the next line; returns `None` at the end.
fn read_line(input: &mut impl BufRead) -> io::Result<Option<Result<Vec<u8>, TooLong>>> {
    let mut bytes = Vec::new();
    if input.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut bytes)? == 0 {
        return Ok(None);
    }
    if bytes.len() as u64 == MAX_LINE_BYTES && bytes.last() != Some(&b'\n') {
        input.skip_until(b'\n')?;
        return Ok(Some(Err(TooLong)));
    }
    Ok(Some(Ok(bytes)))
}

fn open(path: &Path) -> anyhow::Result<File> {
    File::open(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Copies `input` to an unnamed temporary file, which the system removes when the process ends.
fn spool(mut input: impl Read) -> anyhow::Result<File> {
    let mut file = tempfile::tempfile().context("cannot create a temporary file")?;
    let mut writer = BufWriter::new(&file);
    io::copy(&mut input, &mut writer).context("cannot spool standard input")?;
    writer.flush().context("cannot spool standard input")?;
    drop(writer);
    file.rewind().context("cannot spool standard input")?;
    Ok(file)
}

/// What one page teaches about its host.
struct Lesson {
    host: String,
    title: Option<String>,
    blocks: Vec<BlockHash>,
    fingerprint: Fingerprint,
}

/// What the first pass learned: only hashes, a few hundred per page.
#[derive(Default)]
struct Lessons {
    hosts: HashMap<String, Host>,
    /// The blocks that each line's page taught; `None` for a copy of an earlier page.
    own: HashMap<u64, Option<Vec<BlockHash>>>,
}

#[derive(Default)]
struct Host {
    evidence: SiteEvidence,
    seen: dedup::Seen,
}

impl Lessons {
    /// Counts a page's blocks, unless it is a copy of an earlier page: copies say nothing about the site.
    fn add(&mut self, number: u64, lesson: Lesson) {
        let host = self.hosts.entry(lesson.host).or_default();
        let is_copy = host.seen.is_copy(lesson.title, &lesson.fingerprint);
        let taught = (!is_copy).then_some(lesson.blocks);
        if let Some(blocks) = &taught {
            host.evidence.learn(blocks);
        }
        self.own.insert(number, taught);
    }

    /// Returns the evidence of the host's other pages for the page on line `number`.
    fn evidence(&self, number: u64, page: &Page) -> Option<SiteEvidence> {
        let (host, own) = (self.hosts.get(page.url.host_str()?)?, self.own.get(&number)?);
        let mut evidence = host.evidence.clone();
        if let Some(blocks) = own {
            evidence.unlearn(blocks);
        }
        Some(evidence)
    }
}
