//! The kinds of furniture that a line's own words can identify.

use serde::Deserialize;

macro_rules! furniture {
    ($($variant:ident = $name:literal),* $(,)?) => {
        /// A kind of furniture that words identify.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
        pub(crate) enum Furniture { $(#[serde(rename = $name)] $variant),* }

        impl Furniture {
            pub(crate) const ALL: &[Self] = &[$(Self::$variant),*];

            /// Its name in the word lists and in the model.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// The name of its rule in accounts.
            pub(crate) const fn rule(self) -> &'static str {
                match self { $(Self::$variant => concat!("rule.", $name)),* }
            }
        }
    };
}

furniture! {
    Comments = "comments",
    Related = "related",
    Newsletter = "newsletter",
    Share = "share",
    AuthorBox = "author_box",
    Credit = "credit",
    Paywall = "paywall",
    Consent = "consent",
    Copyright = "copyright",
    Byline = "byline",
    Dateline = "dateline",
}

impl Furniture {
    /// Returns whether a line of this kind that says nothing else heads a section of its kind.
    pub(crate) const fn heads_section(self) -> bool {
        matches!(
            self,
            Self::Comments
                | Self::Related
                | Self::Newsletter
                | Self::AuthorBox
                | Self::Paywall
                | Self::Consent
        )
    }
}
