//! Decides which recorded entry an announced entry is.
//!
//! Keys select candidates (see [`crate::model::EntryKey`]); the rest of both entries decides. A key that is the entry's own is
//! trusted unless everything else has changed, since publishers reuse a guid for the next story. A key that other entries share is
//! trusted only if everything else is unchanged.

use url::Url;

use crate::model::{EntryEvidence, normalise_url};

/// The parts of an entry, beside its key, that are compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saying<'e> {
    link: Option<String>,
    path: Option<&'e str>,
    title: Option<String>,
    own_text: Option<&'e str>,
}

impl<'e> Saying<'e> {
    /// The parts of an entry with this link.
    pub fn of(link: Option<&'e Url>, evidence: &'e EntryEvidence) -> Self {
        Self {
            link: link.map(normalise_url),
            // Some servers put the session id into the path.
            path: link.map(|link| link.path().split(';').next().unwrap_or_default()),
            title: evidence.title.as_deref().map(folded),
            own_text: evidence.own_text(),
        }
    }

    /// Returns whether the announced entry is this recorded one with the same key. `key_is_own`: no other entry has the key.
    pub fn is_of(&self, announced: &Self, key_is_own: bool) -> bool {
        if key_is_own { !self.is_another_than(announced) } else { self.is_as(announced) }
    }

    fn is_as(&self, other: &Self) -> bool {
        self.link == other.link && self.title == other.title
    }

    /// A different link alone may be the same article at a new address.
    fn is_another_than(&self, other: &Self) -> bool {
        self.link != other.link
            && (self.title != other.title || (self.path != other.path && self.own_text != other.own_text))
    }
}

/// Returns whether two headlines are equal, ignoring case and white space.
pub fn is_same_title(one: Option<&str>, other: Option<&str>) -> bool {
    one.map(folded) == other.map(folded)
}

/// Lower-cases a headline and collapses its white space.
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
        // Link, headline, text; whether it is the same entry if the key is its own, and if others share the key.
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
