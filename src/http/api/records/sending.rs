//! Sending the records that were found for a response.

use std::collections::HashSet;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;

use super::{CURSOR_HEADER, Form, Found, LINES, PLAIN, Shown, step};
use crate::blocking::{self, Queue};
use crate::http::Serving;
use crate::http::api::query::{Asked, Cursor, Removed};
use crate::http::api::route::JSON;
use crate::memory::Share;
use crate::model::Record;
use crate::store::StoreError;

/// Maximum size of a chunk of the response.
const SLICE_BYTES: usize = 64 << 10;

/// The text around the records of a response.
struct Frame {
    content_type: &'static str,
    start: &'static str,
    between: &'static str,
    end: String,
}

impl Frame {
    fn of(form: &Form, found: &Found) -> Self {
        match form {
            Form::Json => Self {
                content_type: JSON,
                start: "{\"records\":[",
                between: ",",
                end: format!("],\"cursor\":\"{}\",\"more\":{}}}", found.cursor, found.more),
            },
            Form::Lines | Form::Events => Self {
                content_type: LINES,
                start: "",
                between: "\n",
                end: if found.is_empty() { String::new() } else { "\n".to_owned() },
            },
        }
    }
}

/// Why a response breaks off.
#[derive(Debug, thiserror::Error)]
enum BrokenOff {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("record {0} was removed before it was sent")]
    Removed(i64),
}

/// A response that is being sent.
struct Sending {
    serving: Arc<Serving>,
    fields: Vec<String>,
    removed: Removed,
    frame: Frame,
    /// Records that were read and are not sent yet.
    ready: Vec<Record>,
    /// Positions of the records still to be read and sent.
    further: HashSet<i64>,
    /// The last position read.
    read: Cursor,
    last: Cursor,
    has_begun: bool,
    held: Share,
}

impl Sending {
    /// Returns the next part.
    async fn part(mut self) -> (Bytes, Self) {
        let bytes = self.ready.iter().map(|record| record.text.len()).sum();
        blocking::run(Queue::Answers, bytes, move || (Bytes::from(self.write()), self)).await
    }

    fn write(&mut self) -> Vec<u8> {
        let mut part = Vec::new();
        for record in self.ready.drain(..) {
            part.extend(if self.has_begun { self.frame.between } else { self.frame.start }.bytes());
            self.has_begun = true;
            serde_json::to_writer(&mut part, &Shown { record: &record, fields: &self.fields }).expect(PLAIN);
        }
        if self.is_over() {
            part.extend(if self.has_begun { "" } else { self.frame.start }.bytes());
            part.extend(self.frame.end.bytes());
        }
        part
    }

    fn is_over(&self) -> bool {
        self.further.is_empty() || self.read >= self.last
    }

    /// Reads on until there is something to send. Records that were set aside in the meantime are left out, and so are removed
    /// ones if the client skips them.
    async fn read_on(&mut self) -> Result<(), BrokenOff> {
        while self.ready.is_empty() && !self.is_over() {
            let surface = &self.serving.surface;
            let mut records = step(surface, self.read, &self.held, 0).await?;
            self.read = records.last().map_or(self.last, |record| Cursor(record.seq));
            records.retain(|record| self.further.remove(&record.seq));
            let absent = self.further.extract_if(|seq| *seq <= self.read.0).min();
            if let Some(seq) = absent.filter(|_| self.removed == Removed::Refuse)
                && seq <= surface.store.removed_through().await?
            {
                return Err(BrokenOff::Removed(seq));
            }
            self.ready = records;
        }
        Ok(())
    }
}

/// Returns the response, whose first part is ready.
pub(super) async fn answer(serving: &Arc<Serving>, found: Found, form: &Form, asked: Asked) -> Response {
    let frame = Frame::of(form, &found);
    let header = HeaderValue::try_from(found.cursor.to_string()).expect("a cursor is letters and digits");
    let headers =
        [(header::CONTENT_TYPE, HeaderValue::from_static(frame.content_type)), (CURSOR_HEADER, header)];
    let Found { records, further, cursor, held, .. } = found;
    let sending = Sending {
        serving: Arc::clone(serving),
        fields: asked.fields,
        removed: asked.removed,
        frame,
        read: records.last().map_or(asked.after, |record| Cursor(record.seq)),
        ready: records,
        further,
        last: cursor,
        has_begun: false,
        held,
    };
    let (part, sending) = sending.part().await;
    if sending.is_over() && part.len() <= SLICE_BYTES {
        return (headers, Body::from(part)).into_response();
    }
    let slices = stream::try_unfold((part, sending), |(mut part, mut sending)| async move {
        if part.is_empty() && sending.is_over() {
            return Ok(None);
        }
        if part.is_empty() {
            sending.read_on().await.inspect_err(|error| match error {
                BrokenOff::Store(error) => {
                    tracing::error!(error = %error, "cannot read further records: response cut off");
                }
                BrokenOff::Removed(seq) => {
                    tracing::info!(seq, "a record was removed before it was sent: response cut off");
                }
            })?;
            (part, sending) = sending.part().await;
        }
        let slice = part.split_to(part.len().min(SLICE_BYTES));
        // Sending a slice costs time on this thread, for instance to compress it, so other tasks get a turn first.
        tokio::task::yield_now().await;
        Ok::<_, BrokenOff>(Some((slice, (part, sending))))
    });
    (headers, Body::from_stream(slices)).into_response()
}
