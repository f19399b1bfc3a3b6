//! Writes records as Parquet files with typed columns.
//!
//! The columns are named like the record's fields; a test checks that. They are written column by column with the `parquet`
//! crate alone: Arrow would be most of the build, and doing without it costs an extra line here and there.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;
use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use serde::Serialize;
use url::Url;

use super::{Batch, Failure};
use crate::model::{Enclosure, FeedMention, Record};

/// A field of the record: its column in the Parquet schema, and its value.
struct Column {
    schema: &'static str,
    values: Values,
}

/// How to get a column's values from a record.
enum Values {
    Text(fn(&Record) -> Cow<'_, str>),
    OptionalText(fn(&Record) -> Option<Cow<'_, str>>),
    Number(fn(&Record) -> u32),
    Position(fn(&Record) -> i64),
    Time(fn(&Record) -> Timestamp),
    OptionalTime(fn(&Record) -> Option<Timestamp>),
    OptionalShare(fn(&Record) -> Option<f64>),
    Texts(fn(&Record) -> Vec<Cow<'_, str>>),
    Mentions,
    Enclosures,
}

macro_rules! list_of_texts {
    ($name:literal) => {
        concat!(
            "required group ",
            $name,
            " (LIST) { repeated group list { required binary element (UTF8); } }"
        )
    };
}

const COLUMNS: &[Column] = &[
    Column { schema: "required int64 seq;", values: Values::Position(|record| record.seq) },
    Column { schema: "required binary event (UTF8);", values: Values::Text(|record| word(record.event)) },
    Column {
        schema: "required int64 recorded_at (TIMESTAMP(MILLIS,true));",
        values: Values::Time(|record| record.recorded_at),
    },
    Column { schema: "required binary id (UTF8);", values: Values::Text(|record| shown(&record.id)) },
    Column { schema: "required int32 revision;", values: Values::Number(|record| record.revision) },
    Column { schema: "required binary url (UTF8);", values: Values::Text(|record| of_url(&record.url)) },
    Column {
        schema: "required binary original_url (UTF8);",
        values: Values::Text(|record| of_url(&record.original_url)),
    },
    Column {
        schema: "optional binary canonical_url (UTF8);",
        values: Values::OptionalText(|record| record.metadata.canonical_url.as_ref().map(of_url)),
    },
    Column {
        schema: "optional binary title (UTF8);",
        values: Values::OptionalText(|record| record.metadata.title.as_deref().map(Cow::from)),
    },
    Column {
        schema: "required binary text (UTF8);",
        values: Values::Text(|record| Cow::from(record.text.as_str())),
    },
    Column {
        schema: "optional binary description (UTF8);",
        values: Values::OptionalText(|record| record.metadata.description.as_deref().map(Cow::from)),
    },
    Column {
        schema: list_of_texts!("authors"),
        values: Values::Texts(|record| texts(&record.metadata.authors)),
    },
    Column {
        schema: "optional int64 published_at (TIMESTAMP(MILLIS,true));",
        values: Values::OptionalTime(|record| record.metadata.published_at),
    },
    Column {
        schema: "optional int64 modified_at (TIMESTAMP(MILLIS,true));",
        values: Values::OptionalTime(|record| record.metadata.modified_at),
    },
    Column {
        schema: "required int64 fetched_at (TIMESTAMP(MILLIS,true));",
        values: Values::Time(|record| record.fetched_at),
    },
    Column {
        schema: "optional binary language (UTF8);",
        values: Values::OptionalText(|record| record.metadata.language.as_deref().map(Cow::from)),
    },
    Column {
        schema: "optional binary site_name (UTF8);",
        values: Values::OptionalText(|record| record.metadata.site_name.as_deref().map(Cow::from)),
    },
    Column {
        schema: "required binary hostname (UTF8);",
        values: Values::Text(|record| Cow::from(record.hostname.as_str())),
    },
    Column {
        schema: "optional binary section (UTF8);",
        values: Values::OptionalText(|record| record.metadata.section.as_deref().map(Cow::from)),
    },
    Column { schema: list_of_texts!("tags"), values: Values::Texts(|record| texts(&record.metadata.tags)) },
    Column {
        schema: "optional binary image (UTF8);",
        values: Values::OptionalText(|record| record.metadata.image.as_ref().map(of_url)),
    },
    Column {
        schema: "optional binary license (UTF8);",
        values: Values::OptionalText(|record| record.metadata.license.as_deref().map(Cow::from)),
    },
    Column { schema: "required int32 word_count;", values: Values::Number(|record| record.word_count) },
    Column {
        schema: "required binary content_sha256 (UTF8);",
        values: Values::Text(|record| shown(&record.content_sha256)),
    },
    Column {
        schema: "required binary raw_sha256 (UTF8);",
        values: Values::Text(|record| shown(&record.raw_sha256)),
    },
    Column {
        schema: "optional binary duplicate_of (UTF8);",
        values: Values::OptionalText(|record| record.duplicate_of.as_ref().map(shown)),
    },
    Column {
        schema: "optional binary duplicate_kind (UTF8);",
        values: Values::OptionalText(|record| record.duplicate_kind.map(word)),
    },
    Column {
        schema: "optional double duplicate_score;",
        values: Values::OptionalShare(|record| record.duplicate_score),
    },
    Column {
        schema: "required binary cluster_id (UTF8);",
        values: Values::Text(|record| shown(&record.cluster_id)),
    },
    Column {
        schema: "optional int64 withdrawn_at (TIMESTAMP(MILLIS,true));",
        values: Values::OptionalTime(|record| record.withdrawn_at),
    },
    Column {
        schema: "required group feeds (LIST) { repeated group list { required group element { \
                 required binary feed_url (UTF8); \
                 required group tags (LIST) { repeated group list { required binary element (UTF8); } } \
                 optional binary guid (UTF8); optional binary entry_title (UTF8); \
                 optional int64 entry_published_at (TIMESTAMP(MILLIS,true)); \
                 required int64 first_seen_at (TIMESTAMP(MILLIS,true)); } } }",
        values: Values::Mentions,
    },
    Column {
        schema: "required binary extractor_version (UTF8);",
        values: Values::Text(|record| Cow::from(record.extractor_version.as_str())),
    },
    Column {
        schema: list_of_texts!("quality_flags"),
        values: Values::Texts(|record| record.quality_flags.iter().map(|flag| word(*flag)).collect()),
    },
    Column {
        schema: "required group enclosures (LIST) { repeated group list { required group element { \
                 required binary url (UTF8); optional binary type (UTF8); optional int64 length; } } }",
        values: Values::Enclosures,
    },
    Column {
        schema: "required int32 schema_version;",
        values: Values::Number(|record| record.schema_version),
    },
];

/// Encodes a batch as one file.
pub(super) fn encode(batch: &Batch) -> Result<Vec<u8>, Failure> {
    written(&batch.records).map_err(|error| Failure::later(format!("cannot write columns: {error}")))
}

fn written(records: &[Record]) -> Result<Vec<u8>, ParquetError> {
    let fields: Vec<&str> = COLUMNS.iter().map(|column| column.schema).collect();
    let schema = Arc::new(parse_message_type(&format!("message record {{ {} }}", fields.join(" ")))?);
    let properties = WriterProperties::builder()
        .set_created_by(concat!("feedmill ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(parquet::basic::ZstdLevel::default()))
        .build();
    let mut file = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties))?;
    let mut group = file.next_row_group()?;
    for column in COLUMNS {
        write(&mut group, &column.values, records)?;
    }
    group.close()?;
    file.into_inner()
}

type Group<'g> = SerializedRowGroupWriter<'g, Vec<u8>>;

fn write(group: &mut Group<'_>, values: &Values, records: &[Record]) -> Result<(), ParquetError> {
    match values {
        Values::Text(of) => {
            write_all::<ByteArrayType>(group, records.iter().map(|record| bytes(&of(record))))
        }
        Values::Number(of) => {
            // Stored with the bits of a `u32`: none of our values comes near the sign bit.
            write_all::<Int32Type>(group, records.iter().map(|record| of(record).cast_signed()))
        }
        Values::Position(of) => write_all::<Int64Type>(group, records.iter().map(of)),
        Values::Time(of) => {
            write_all::<Int64Type>(group, records.iter().map(|record| of(record).as_millisecond()))
        }
        Values::OptionalText(of) => {
            let values = records.iter().map(|record| of(record).map(|text| bytes(&text)));
            write_present::<ByteArrayType>(group, values)
        }
        Values::OptionalTime(of) => {
            write_present::<Int64Type>(group, records.iter().map(|record| of(record).map(milliseconds)))
        }
        Values::OptionalShare(of) => write_present::<DoubleType>(group, records.iter().map(of)),
        Values::Texts(of) => write_lists::<ByteArrayType>(group, records, 1, |record| {
            of(record).iter().map(|text| Some(bytes(text))).collect()
        }),
        Values::Mentions => write_mentions(group, records),
        Values::Enclosures => write_enclosures(group, records),
    }
}

fn write_mentions(group: &mut Group<'_>, records: &[Record]) -> Result<(), ParquetError> {
    fn each<V>(of: impl Fn(&FeedMention) -> Option<V>) -> impl Fn(&Record) -> Vec<Option<V>> {
        move |record| record.feeds.iter().map(&of).collect()
    }
    write_lists::<ByteArrayType>(group, records, 1, each(|mention| Some(bytes(mention.feed_url.as_str()))))?;
    write_feed_tags(group, records)?;
    write_lists::<ByteArrayType>(group, records, 2, each(|mention| mention.guid.as_deref().map(bytes)))?;
    write_lists::<ByteArrayType>(
        group,
        records,
        2,
        each(|mention| mention.entry_title.as_deref().map(bytes)),
    )?;
    let published = each(|mention| mention.entry_published_at.map(milliseconds));
    write_lists::<Int64Type>(group, records, 2, published)?;
    write_lists::<Int64Type>(group, records, 1, each(|mention| Some(milliseconds(mention.first_seen_at))))
}

/// Writes the only column of lists within lists.
fn write_feed_tags(group: &mut Group<'_>, records: &[Record]) -> Result<(), ParquetError> {
    let (mut present, mut definition, mut repetition) = (Vec::new(), Vec::new(), Vec::new());
    for record in records {
        if record.feeds.is_empty() {
            definition.push(0);
            repetition.push(0);
        }
        for (i, feed) in record.feeds.iter().enumerate() {
            let begins = i16::from(i > 0);
            if feed.tags.is_empty() {
                definition.push(1);
                repetition.push(begins);
            }
            for (j, tag) in feed.tags.iter().enumerate() {
                definition.push(2);
                repetition.push(if j > 0 { 2 } else { begins });
                present.push(bytes(tag));
            }
        }
    }
    write_column::<ByteArrayType>(group, &present, Some(&definition), Some(&repetition))
}

fn write_enclosures(group: &mut Group<'_>, records: &[Record]) -> Result<(), ParquetError> {
    fn each<V>(of: impl Fn(&Enclosure) -> Option<V>) -> impl Fn(&Record) -> Vec<Option<V>> {
        move |record| record.enclosures.iter().map(&of).collect()
    }
    write_lists::<ByteArrayType>(group, records, 1, each(|file| Some(bytes(file.url.as_str()))))?;
    write_lists::<ByteArrayType>(group, records, 2, each(|file| file.media_type.as_deref().map(bytes)))?;
    write_lists::<Int64Type>(group, records, 2, each(|file| file.length.map(u64::cast_signed)))
}

/// Writes a column without missing values.
fn write_all<T: DataType>(
    group: &mut Group<'_>,
    values: impl Iterator<Item = T::T>,
) -> Result<(), ParquetError> {
    let values: Vec<T::T> = values.collect();
    write_column::<T>(group, &values, None, None)
}

/// Writes a column in which values may be missing.
fn write_present<T: DataType>(
    group: &mut Group<'_>,
    values: impl Iterator<Item = Option<T::T>>,
) -> Result<(), ParquetError> {
    let (mut present, mut definition) = (Vec::new(), Vec::new());
    for value in values {
        definition.push(i16::from(value.is_some()));
        present.extend(value);
    }
    write_column::<T>(group, &present, Some(&definition), None)
}

/// Writes a column of lists. `defined` is the definition level of an element that has a value: 1, or 2 where it may be missing.
fn write_lists<T: DataType>(
    group: &mut Group<'_>,
    records: &[Record],
    defined: i16,
    list: impl Fn(&Record) -> Vec<Option<T::T>>,
) -> Result<(), ParquetError> {
    let (mut present, mut definition, mut repetition) = (Vec::new(), Vec::new(), Vec::new());
    for record in records {
        let elements = list(record);
        if elements.is_empty() {
            definition.push(0);
            repetition.push(0);
        }
        for (i, element) in elements.into_iter().enumerate() {
            definition.push(if element.is_some() { defined } else { defined - 1 });
            repetition.push(i16::from(i > 0));
            present.extend(element);
        }
    }
    write_column::<T>(group, &present, Some(&definition), Some(&repetition))
}

fn write_column<T: DataType>(
    group: &mut Group<'_>,
    values: &[T::T],
    definition: Option<&[i16]>,
    repetition: Option<&[i16]>,
) -> Result<(), ParquetError> {
    let Some(mut column) = group.next_column()? else {
        return Err(ParquetError::General("the schema has fewer columns than the record".to_owned()));
    };
    column.typed::<T>().write_batch(values, definition, repetition)?;
    column.close()
}

fn bytes(text: &str) -> ByteArray {
    ByteArray::from(text)
}

fn milliseconds(moment: Timestamp) -> i64 {
    moment.as_millisecond()
}

fn of_url(url: &Url) -> Cow<'_, str> {
    Cow::from(url.as_str())
}

fn shown<'v>(value: &impl ToString) -> Cow<'v, str> {
    Cow::from(value.to_string())
}

fn texts(texts: &[String]) -> Vec<Cow<'_, str>> {
    texts.iter().map(|text| Cow::from(text.as_str())).collect()
}

/// Returns the string that JSON uses for a unit variant.
fn word<'v>(variant: impl Serialize) -> Cow<'v, str> {
    match serde_json::to_value(variant) {
        Ok(serde_json::Value::String(word)) => Cow::from(word),
        other => unreachable!("words are unit variants, which serialise as strings: {other:?}"),
    }
}
