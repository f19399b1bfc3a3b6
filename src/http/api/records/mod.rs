//! Records by cursor: immediately, as soon as there are any (long polling), or as a stream for as long as the client stays
//! connected.
//!
//! The cursor is sent before the records, so the content of a response is determined before it begins. That does not require
//! the texts: beyond the first few, they are read when they are about to be sent, a few at a time, as fast as the client
//! receives them. Everything held in memory is counted (see [`crate::memory`]).
//!
//! A record may thus be removed before it is sent. The response then breaks off: its client resumes from the last record that it
//! has, and is told that it is too late (410). Sending the removed record without its text was the alternative: a client that
//! stores what it receives would have replaced a text by nothing.

mod sending;

use std::collections::{HashSet, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use schemars::{SchemaGenerator, json_schema};
use serde::ser::Error as _;
use serde::{Serialize, Serializer};
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use self::sending::answer;
use super::query::{self, Asked, Cursor, Removed};
use super::route::{JSON, Parameter, Route};
use crate::blocking::{self, Queue};
use crate::http::auth::Role;
use crate::http::problem::Problem;
use crate::http::{Serving, Surface};
use crate::memory::{RECORD_COST, Share};
use crate::model::{self, Record};
use crate::store::StoreError;

/// Number of records read from the store at a time, and bytes of their texts.
const STEP: u32 = 20;
const STEP_BYTES: usize = 1 << 20;
/// Bytes of text kept in memory between finding the records and sending them.
const KEPT_BYTES: usize = 1 << 20;
/// Reading this many bytes of text or more requires a place in a queue: clients that read long texts must not occupy the store
/// all at once.
const LONG_BYTES: usize = 256 << 10;
/// A response that exceeds this ends before its limit of records; the client continues from the cursor.
const MAX_ANSWER_BYTES: usize = 16 << 20;
/// Maximum number of records examined for one response, however few of them the filter admits.
const MAX_LOOKED_AT: u32 = 20_000;

/// How often a waiting request checks for records stored by another process.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// The cursor after the last line, for clients that read JSON lines.
const CURSOR_HEADER: HeaderName = HeaderName::from_static("feedmill-cursor");
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Returns the route of this module.
pub(super) fn routes() -> Vec<Route> {
    let last_event_id = Parameter::header(
        "Last-Event-ID",
        "With `Accept: text/event-stream`: the id of the last event received; overrides `after`.",
        json!({ "type": "string" }),
        "c2VxOjQy",
    );
    let articles = Route::get("/v1/articles", "Records after a cursor, in the order of the outbox", articles)
        .takes(query::parameters())
        .takes([last_event_id])
        .answers_in(LINES, SchemaGenerator::subschema_for::<Record>)
        .answers_in(JSON, |schemas| {
            let record = schemas.subschema_for::<Record>();
            json_schema!({
                "type": "object",
                "properties": {
                    "records": { "type": "array", "items": record },
                    "cursor": { "type": "string", "description": "Value of `after` for the next request." },
                    "more": { "type": "boolean", "description": "Whether there are records after these." },
                },
                "required": ["records", "cursor", "more"],
            })
        })
        .answers_in("text/event-stream", |_| {
            json_schema!({
                "type": "string",
                "description": "One event per record: `id` is its cursor, `event` its kind, `data` the record as JSON.",
            })
        })
        .refuses(&[
            (410, "Records after the cursor were removed (`keep_days`), and `removed` is not `skip`."),
            (503, "The store cannot be read at the moment, or too many clients wait for records."),
        ]);
    vec![articles]
}

/// The media type of JSON lines.
const LINES: &str = "application/x-ndjson";

/// A record, reduced to the requested fields.
struct Shown<'r> {
    record: &'r Record,
    fields: &'r [String],
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.fields.is_empty() {
            return self.record.serialize(serializer);
        }
        let record = serde_json::to_value(self.record).map_err(S::Error::custom)?;
        serializer.collect_map(self.fields.iter().map(|name| (name, &record[name])))
    }
}

/// The records found for one response.
struct Found {
    /// The first records, up to [`KEPT_BYTES`] of text.
    records: Vec<Record>,
    kept_bytes: usize,
    /// The positions of all further ones.
    further: HashSet<i64>,
    cursor: Cursor,
    more: bool,
    held: Share,
}

impl Found {
    fn is_empty(&self) -> bool {
        self.records.is_empty() && self.further.is_empty()
    }

    /// Returns whether the texts of further records are left to be read later.
    fn is_full(&self) -> bool {
        !self.further.is_empty()
    }

    fn add(&mut self, record: Record) {
        let kept_bytes = self.kept_bytes + record.text.len();
        if !self.is_full() && (self.records.is_empty() || kept_bytes <= KEPT_BYTES) {
            self.kept_bytes = kept_bytes;
            self.records.push(record);
        } else {
            self.further.insert(record.seq);
        }
    }
}

/// The representations of a response.
enum Form {
    Json,
    Lines,
    Events,
}

/// `GET /v1/articles`.
async fn articles(
    State(serving): State<Arc<Serving>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let surface = &serving.surface;
    let mut asked = Asked::parse(&query.unwrap_or_default()).map_err(Problem::bad_request)?;
    let form = form(&headers);
    if matches!(form, Form::Events) {
        if let Some(id) = headers.get(LAST_EVENT_ID) {
            let cursor = id.to_str().ok().and_then(Cursor::parse);
            asked.after = cursor.ok_or_else(|| Problem::bad_request("Last-Event-ID is not a cursor"))?;
        }
        refuse_late(surface, &asked).await?;
        let gone_before = if asked.after.0 == 0 { serving.surface.store.removed_through().await? } else { 0 };
        let place = waiting(&serving)?;
        return Ok(events(Arc::clone(&serving), asked, headers, gone_before, place));
    }
    let at_once = Asked { wait: Duration::ZERO, ..asked.clone() };
    let mut found = wait_for(surface, &at_once, MAX_ANSWER_BYTES).await?;
    if found.is_empty() && !found.more && !asked.wait.is_zero() {
        let _place = waiting(&serving)?;
        let patient = Asked { after: found.cursor, ..asked.clone() };
        // Nothing holds memory while it waits.
        drop(found);
        found = wait_for(surface, &patient, MAX_ANSWER_BYTES).await?;
    }
    // Checked after the records were read, so that a removal in the meantime is noticed.
    refuse_late(surface, &asked).await?;
    Ok(answer(&serving, found, &form, asked).await)
}

/// Returns a place for a client that waits for records. Clients without one are refused: if they waited for it, their connections
/// would be missing for other requests.
fn waiting(serving: &Serving) -> Result<OwnedSemaphorePermit, Problem> {
    Arc::clone(&serving.waiters).try_acquire_owned().map_err(|_| {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too many clients wait for records; hint: repeat the request later, or without wait and not as an event stream",
        )
    })
}

fn form(headers: &HeaderMap) -> Form {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if accept.contains("text/event-stream") {
        Form::Events
    } else if accept.contains("application/json") {
        Form::Json
    } else {
        Form::Lines
    }
}

async fn refuse_late(surface: &Surface, asked: &Asked) -> Result<(), Problem> {
    let Some(removed_through) = removed_through(surface, asked).await? else { return Ok(()) };
    let after = asked.after.0;
    Err(Problem::new(
        StatusCode::GONE,
        format!(
            "records after {after} were removed (keep_days), up to {removed_through}; hint: removed=skip returns the remaining records"
        ),
    ))
}

/// Returns the last position removed, if the reader must be told that it missed some.
async fn removed_through(surface: &Surface, asked: &Asked) -> Result<Option<i64>, StoreError> {
    let (after, removed_through) = (asked.after.0, surface.store.removed_through().await?);
    // A reader that starts at 0 asks for whatever there is.
    let is_late = 0 < after && after < removed_through && asked.removed == Removed::Refuse;
    Ok(is_late.then_some(removed_through))
}

/// Returns the next records of an event stream; `None` if some may have been removed before they were read. Those up to
/// `gone_before` were removed before the stream began, and are left out.
async fn found_in_time(
    surface: &Surface,
    asked: &Asked,
    gone_before: i64,
) -> Result<Option<Found>, StoreError> {
    let found = wait_for(surface, asked, KEPT_BYTES).await?;
    // What was removed since the stream began may have been ahead of it.
    let is_late = removed_through(surface, asked).await?.is_some_and(|through| through > gone_before);
    Ok((!is_late).then_some(found))
}

/// Returns the available records, or else the first that arrive before the request's wait is over.
async fn wait_for(surface: &Surface, asked: &Asked, most_bytes: usize) -> Result<Found, StoreError> {
    let deadline = Instant::now() + asked.wait;
    let mut cursor = asked.after;
    loop {
        let woken = surface.stored.notified();
        tokio::pin!(woken);
        woken.as_mut().enable();
        let found = look(surface, asked, cursor, most_bytes).await?;
        let is_over = Instant::now() >= deadline || surface.soft.is_cancelled();
        if !found.is_empty() || found.more || is_over {
            return Ok(found);
        }
        cursor = found.cursor;
        tokio::select! {
            () = woken => {}
            () = tokio::time::sleep_until(deadline.min(Instant::now() + LOOK_INTERVAL)) => {}
            () = surface.soft.cancelled() => {}
        }
    }
}

async fn look(
    surface: &Surface,
    asked: &Asked,
    after: Cursor,
    most_bytes: usize,
) -> Result<Found, StoreError> {
    let mut found = Found {
        records: Vec::new(),
        kept_bytes: 0,
        further: HashSet::new(),
        cursor: after,
        more: false,
        held: surface.memory.share(),
    };
    let (mut looked_at, mut admitted, mut bytes) = (0, 0, 0);
    loop {
        let records = if found.is_full() {
            found.held.hold(found.kept_bytes * RECORD_COST).await;
            surface.store.outlines_after(found.cursor.0, STEP).await?
        } else {
            let records = step(surface, found.cursor, &found.held, found.kept_bytes).await?;
            records.into_iter().map(|record| (record.text.len(), record)).collect()
        };
        if records.is_empty() {
            return Ok(found);
        }
        for (text_bytes, record) in records {
            looked_at += 1;
            found.cursor = Cursor(record.seq);
            if asked.filter.admits(&record) {
                bytes += text_bytes;
                admitted += 1;
                found.add(record);
            }
            let is_full = admitted >= asked.limit || bytes >= most_bytes;
            if is_full || looked_at >= MAX_LOOKED_AT {
                found.more = surface.store.last_seq().await? > found.cursor.0;
                return Ok(found);
            }
        }
    }
}

/// Reads the next few records, once the memory budget has room for them in addition to those kept.
async fn step(
    surface: &Surface,
    after: Cursor,
    held: &Share,
    kept_bytes: usize,
) -> Result<Vec<Record>, StoreError> {
    let (records, bytes) = surface.store.records_weigh(after.0, STEP, STEP_BYTES).await?;
    if records == 0 {
        return Ok(Vec::new());
    }
    held.hold((kept_bytes + bytes) * RECORD_COST).await;
    let _place = if bytes < LONG_BYTES { None } else { Some(Queue::Texts.place().await) };
    surface.store.records_after(after.0, records).await
}

const PLAIN: &str = "a record has string keys and plain values";

/// Returns a stream that ends when the client disconnects, its token is withdrawn, the daemon stops, or records were removed before
/// they were sent; the client resumes by the id of the last event, and in the last case is refused.
///
/// A stream that begins at 0 gets what is left: `gone_before` is the last position that was removed before it began. It holds its
/// place among the clients that wait until it ends.
fn events(
    serving: Arc<Serving>,
    asked: Asked,
    headers: HeaderMap,
    gone_before: i64,
    place: OwnedSemaphorePermit,
) -> Response {
    let state = (serving, asked, headers, VecDeque::new(), place);
    let events = stream::unfold(state, move |(serving, mut asked, headers, mut ready, place)| async move {
        while ready.is_empty() {
            let surface = &serving.surface;
            let is_admitted = surface.tokens.borrow().admit(&headers, Role::Read).is_ok();
            if surface.soft.is_cancelled() || !is_admitted {
                return None;
            }
            let patient = Asked { wait: LOOK_INTERVAL, ..asked.clone() };
            match found_in_time(surface, &patient, gone_before).await {
                Ok(None) => {
                    tracing::info!(
                        after = asked.after.0,
                        "records were removed before they were sent: event stream closed"
                    );
                    return None;
                }
                Ok(Some(found)) => {
                    // The further records are found again by the next look.
                    let last = found.records.last().filter(|_| !found.further.is_empty());
                    asked.after = last.map_or(found.cursor, |record| Cursor(record.seq));
                    ready.extend(found.records);
                }
                Err(error) => {
                    tracing::error!(error = %error, "cannot read further records: event stream closed");
                    return None;
                }
            }
        }
        let record: Record = ready.pop_front()?;
        let (event, asked) =
            blocking::run(Queue::Answers, record.text.len(), move || (event(&record, &asked.fields), asked))
                .await;
        Some((Ok::<Event, Infallible>(event), (serving, asked, headers, ready, place)))
    });
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}

fn event(record: &Record, fields: &[String]) -> Event {
    let data = serde_json::to_string(&Shown { record, fields }).expect(PLAIN);
    Event::default().id(Cursor(record.seq).to_string()).event(event_name(record.event)).data(data)
}

const fn event_name(event: model::Event) -> &'static str {
    match event {
        model::Event::Created => "created",
        model::Event::Revised => "revised",
        model::Event::Linked => "linked",
        model::Event::Withdrawn => "withdrawn",
    }
}
