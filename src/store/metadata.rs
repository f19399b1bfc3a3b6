//! An article's metadata as columns of `revisions`.

use jiff::Timestamp;

use super::StoreError;
use super::sql::{Query, Row, clean, clean_option, json};
use crate::model::Metadata;

/// The columns, in the order in which they are bound.
macro_rules! metadata_columns {
    () => {
        "title, description, authors, published_at, modified_at, language, canonical_url, site_name, section, tags, image, \
         license"
    };
}
pub(super) use metadata_columns;

/// Number of metadata columns.
pub(super) const METADATA_COLUMNS: usize = 12;

/// Metadata prepared for storing.
pub(super) struct MetadataRow<'m> {
    metadata: &'m Metadata,
    authors: String,
    tags: String,
}

impl<'m> MetadataRow<'m> {
    pub(super) fn of(metadata: &'m Metadata) -> Result<Self, StoreError> {
        Ok(Self {
            metadata,
            authors: json("authors", &cleaned(&metadata.authors))?,
            tags: json("tags", &cleaned(&metadata.tags))?,
        })
    }

    pub(super) fn bind(&self, query: Query) -> Query {
        let Metadata {
            title,
            description,
            authors: _,
            published_at,
            modified_at,
            utc_offset: _,
            language,
            canonical_url,
            site_name,
            section,
            tags: _,
            image,
            license,
        } = self.metadata;
        query
            .bind(clean_option(title.as_deref()))
            .bind(clean_option(description.as_deref()))
            .bind(self.authors.clone())
            .bind(published_at.map(Timestamp::as_millisecond))
            .bind(modified_at.map(Timestamp::as_millisecond))
            .bind(clean_option(language.as_deref()))
            .bind(canonical_url.as_ref().map(ToString::to_string))
            .bind(clean_option(site_name.as_deref()))
            .bind(clean_option(section.as_deref()))
            .bind(self.tags.clone())
            .bind(image.as_ref().map(ToString::to_string))
            .bind(clean_option(license.as_deref()))
    }
}

fn cleaned(texts: &[String]) -> Vec<std::borrow::Cow<'_, str>> {
    texts.iter().map(|text| clean(text)).collect()
}

impl TryFrom<&Row<'_>> for Metadata {
    type Error = StoreError;

    fn try_from(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            title: row.get("title")?,
            description: row.get("description")?,
            authors: row.json("authors")?,
            published_at: row.optional_time("published_at")?,
            modified_at: row.optional_time("modified_at")?,
            // Times are stored in UTC.
            utc_offset: None,
            language: row.get("language")?,
            canonical_url: row.optional_url("canonical_url")?,
            site_name: row.get("site_name")?,
            section: row.get("section")?,
            tags: row.json("tags")?,
            image: row.optional_url("image")?,
            license: row.get("license")?,
        })
    }
}
