//! Which recorded entry an announced one is.
//!
//! Keys find candidates (see [`crate::model::EntryKey`]); what both say beside the key decides. A key that is the entry's own
//! is believed, unless everything else has changed: publishers use a guid again for the next story. A key that others have,
//! too, is believed only where everything else has stayed.

use url::Url;

use crate::model::{EntryEvidence, normalise_url};

/// What an entry says beside its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saying<'e> {
    link: Option<String>,
    path: Option<&'e str>,
    title: Option<String>,
    own_text: Option<&'e str>,
}

impl<'e> Saying<'e> {
    /// What an entry with this link says.
    pub fn of(link: Option<&'e Url>, evidence: &'e EntryEvidence) -> Self {
        Self {
            link: link.map(normalise_url),
            // Some servers write the session into the path.
            path: link.map(|link| link.path().split(';').next().unwrap_or_default()),
            title: evidence.title.as_deref().map(folded),
            own_text: evidence.own_text(),
        }
    }

    /// Whether an announced entry is this recorded one, which has the same key.
    pub fn is_of(&self, announced: &Self, key_is_own: bool) -> bool {
        if key_is_own { !self.is_another_than(announced) } else { self.is_as(announced) }
    }

    fn is_as(&self, other: &Self) -> bool {
        self.link == other.link && self.title == other.title
    }

    /// Another link alone may be the same article at its new address.
    fn is_another_than(&self, other: &Self) -> bool {
        self.link != other.link
            && (self.title != other.title || (self.path != other.path && self.own_text != other.own_text))
    }
}

/// Whether two headlines are the same but for case and white space.
pub fn is_same_title(one: Option<&str>, other: Option<&str>) -> bool {
    one.map(folded) == other.map(folded)
}

/// The words of a headline, without what editors change in passing.
fn folded(title: &str) -> String {
    title.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(title: &str, text: &str) -> EntryEvidence {
        EntryEvidence {
            title: Some(title.to_owned()),
            summary: Some(text.to_owned()),
            ..EntryEvidence::default()
        }
    }

    #[test]
    fn a_key_is_believed_as_far_as_the_rest_agrees() {
        let known = (Url::parse("https://quay.example/1").unwrap(), evidence("Ferry sails", "At noon."));
        // Link, headline, text; whether it is the same under a key of its own, and under one that others have.
        let cases = [
            ("https://quay.example/1", "Ferry  Sails", "At noon.", true, true),
            ("https://quay.example/1", "Ferry sails", "At one.", true, true),
            ("https://quay.example/1", "Ferry is late", "At one.", true, false),
            ("https://quay.example/2", "Ferry sails", "At noon.", true, false),
            ("https://quay.example/1?session=7", "Ferry sails", "At one.", true, false),
            ("https://quay.example/1;session=7", "Ferry sails", "At one.", true, false),
            ("https://quay.example/2", "Ferry sails", "At one.", false, false),
            ("https://quay.example/2", "Tram stands", "At noon.", false, false),
        ];
        for (link, title, text, own, shared) in cases {
            let announced = (Url::parse(link).unwrap(), evidence(title, text));
            let known = Saying::of(Some(&known.0), &known.1);
            let announced = Saying::of(Some(&announced.0), &announced.1);
            let found = [true, false].map(|key_is_own| known.is_of(&announced, key_is_own));
            assert_eq!(found, [own, shared], "{link} {title} {text}");
        }
    }

    #[test]
    fn without_links_a_key_of_its_own_is_all() {
        let (one, edited) = (evidence("Ferry sails", "At noon."), evidence("Ferry is late", "At one."));
        let [one, edited] = [&one, &edited].map(|evidence| Saying::of(None, evidence));
        assert!(one.is_of(&edited, true));
        assert!(!one.is_of(&edited, false));
    }
}
