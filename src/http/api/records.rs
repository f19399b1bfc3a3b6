//! Records by cursor: at once, as soon as there are any, or for as long as the reader stays.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::ser::Error as _;
use serde::{Serialize, Serializer};
use tokio::time::Instant;

use super::query::{Asked, Cursor, Removed};
use crate::http::problem::Problem;
use crate::http::{Serving, Surface};
use crate::model::{self, Record};
use crate::store::StoreError;

/// Records read from the store at a time.
const STEP: u32 = 20;
/// An answer that has grown past this ends, short of its limit: the cursor goes on from there.
const MAX_ANSWER_BYTES: usize = 16 << 20;
/// So many records are looked at for one answer, whatever few the filter admits.
const MAX_LOOKED_AT: u32 = 20_000;

/// How often a reader that waits looks for what another process has stored.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// The cursor after the last line, for a reader of JSON lines.
const CURSOR_HEADER: HeaderName = HeaderName::from_static("feedmill-cursor");
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// An answer in JSON.
#[derive(Serialize)]
struct Page<'p> {
    records: Vec<Shown<'p>>,
    /// Where to go on, also where nothing came.
    cursor: String,
    /// Whether it is known that there is more already.
    more: bool,
}

/// A record, or the fields of it that are asked for.
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

/// What one look has found.
struct Found {
    records: Vec<Record>,
    cursor: Cursor,
    more: bool,
}

/// The forms of an answer.
enum Form {
    Json,
    Lines,
    Events,
}

/// `GET /v1/articles`.
pub(super) async fn articles(
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
            asked.after = cursor.ok_or_else(|| Problem::bad_request("Last-Event-ID is no cursor"))?;
        }
        refuse_late(surface, &asked).await?;
        return Ok(events(Arc::clone(&serving), asked));
    }
    let found = wait_for(surface, &asked).await?;
    // Asked for when they were read: what goes in between shows.
    refuse_late(surface, &asked).await?;
    Ok(answer(&found, &form, &asked.fields))
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
    let (after, removed_through) = (asked.after.0, surface.store.removed_through().await?);
    if after < removed_through && asked.removed == Removed::Refuse {
        return Err(Problem::new(
            StatusCode::GONE,
            format!(
                "records after {after} were removed (keep_days), up to {removed_through}; hint: removed=skip gives what is left"
            ),
        ));
    }
    Ok(())
}

/// What there is, or what comes first within the time that the reader waits.
async fn wait_for(surface: &Surface, asked: &Asked) -> Result<Found, StoreError> {
    let deadline = Instant::now() + asked.wait;
    let mut cursor = asked.after;
    loop {
        let woken = surface.stored.notified();
        tokio::pin!(woken);
        woken.as_mut().enable();
        let found = look(surface, asked, cursor).await?;
        let is_over = Instant::now() >= deadline || surface.soft.is_cancelled();
        if !found.records.is_empty() || found.more || is_over {
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

async fn look(surface: &Surface, asked: &Asked, after: Cursor) -> Result<Found, StoreError> {
    let mut found = Found { records: Vec::new(), cursor: after, more: false };
    let (mut looked_at, mut bytes) = (0, 0);
    loop {
        let records = surface.store.records_after(found.cursor.0, STEP).await?;
        if records.is_empty() {
            return Ok(found);
        }
        for record in records {
            looked_at += 1;
            found.cursor = Cursor(record.seq);
            if asked.filter.admits(&record) {
                bytes += record.text.len();
                found.records.push(record);
            }
            let is_full = found.records.len() >= asked.limit as usize || bytes >= MAX_ANSWER_BYTES;
            if is_full || looked_at >= MAX_LOOKED_AT {
                found.more = surface.store.last_seq().await? > found.cursor.0;
                return Ok(found);
            }
        }
    }
}

fn answer(found: &Found, form: &Form, fields: &[String]) -> Response {
    let shown = found.records.iter().map(|record| Shown { record, fields });
    let cursor = found.cursor.to_string();
    let header = HeaderValue::try_from(&cursor).expect("a cursor is letters and digits");
    let (content_type, body) = match form {
        Form::Json => {
            let page = Page { records: shown.collect(), cursor, more: found.more };
            ("application/json", serde_json::to_vec(&page).expect(PLAIN))
        }
        Form::Lines | Form::Events => {
            let mut lines = Vec::new();
            for record in shown {
                serde_json::to_writer(&mut lines, &record).expect(PLAIN);
                lines.push(b'\n');
            }
            ("application/x-ndjson", lines)
        }
    };
    let headers = [(header::CONTENT_TYPE, HeaderValue::from_static(content_type)), (CURSOR_HEADER, header)];
    (headers, Body::from(body)).into_response()
}

const PLAIN: &str = "a record has string keys and plain values";

/// A stream that ends when the reader leaves or the daemon stops: it resumes by the id of its last event.
fn events(serving: Arc<Serving>, asked: Asked) -> Response {
    let state = (serving, asked, VecDeque::new());
    let events = stream::unfold(state, |(serving, mut asked, mut ready)| async move {
        while ready.is_empty() {
            let surface = &serving.surface;
            if surface.soft.is_cancelled() {
                return None;
            }
            let patient = Asked { wait: LOOK_INTERVAL, ..asked.clone() };
            match wait_for(surface, &patient).await {
                Ok(found) => {
                    asked.after = found.cursor;
                    ready.extend(found.records);
                }
                Err(error) => {
                    tracing::error!(error = %error, "a stream of records ends");
                    return None;
                }
            }
        }
        let record: Record = ready.pop_front()?;
        Some((Ok::<Event, Infallible>(event(&record, &asked.fields)), (serving, asked, ready)))
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
