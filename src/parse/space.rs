//! The vocabularies that feeds mix, identified by namespace or, if that is missing or misspelt, by prefix.

/// A vocabulary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Space {
    /// RSS of every version, Atom, CDF, and elements without a namespace.
    Core,
    /// Dublin Core elements.
    Dc,
    /// Dublin Core terms.
    DcTerms,
    /// RSS content module.
    Content,
    /// Media RSS.
    Media,
    /// iTunes podcast extension.
    Itunes,
    /// RSS syndication module.
    Sy,
    /// XHTML.
    Xhtml,
    /// RDF syntax.
    Rdf,
    /// `FeedBurner`, a feed proxy that keeps the original link in an element of its own.
    Feedburner,
    /// Anything else: images, formulas, extensions that say nothing about the article.
    Other,
}

impl Space {
    /// Returns the vocabulary of a namespace declared for `prefix`. An unknown default namespace on the root counts as a feed
    /// format; an unknown one with a well-known prefix counts as the vocabulary of that prefix.
    pub(super) fn of_uri(uri: &str, prefix: &str, on_root: bool) -> Self {
        let uri = uri.trim().trim_end_matches(['/', '#']).to_ascii_lowercase();
        let bare = uri.strip_prefix("http://").or_else(|| uri.strip_prefix("https://")).unwrap_or(&uri);
        match bare {
            ""
            | "www.w3.org/2005/atom"
            | "purl.org/atom/ns"
            | "purl.org/net/rss1.1"
            | "purl.org/rss/1.0"
            | "my.netscape.com/rdf/simple/0.9"
            | "channel.netscape.com/rdf/simple/0.9"
            | "my.netscape.com/publish/formats/rss-0.91.dtd"
            | "backend.userland.com/rss"
            | "backend.userland.com/rss2"
            | "backend.userland.com/rss091"
            | "blogs.law.harvard.edu/tech/rss"
            | "cyber.law.harvard.edu/rss"
            | "www.rssboard.org/rss-specification"
            | "purl.org/rss/2.0" => Self::Core,

            "purl.org/dc/elements/1.1" | "purl.org/dc/elements/1.0" | "purl.org/metadata/dublin_core" => {
                Self::Dc
            }
            "purl.org/dc/terms" => Self::DcTerms,
            "purl.org/rss/1.0/modules/content" => Self::Content,
            "search.yahoo.com/mrss" | "search.yahoo.com/rss" | "www.rssboard.org/media-rss" => Self::Media,
            "www.itunes.com/dtds/podcast-1.0.dtd" | "itunes.apple.com/dtds/podcast-1.0.dtd" => Self::Itunes,
            "purl.org/rss/1.0/modules/syndication" => Self::Sy,
            "www.w3.org/1999/xhtml" => Self::Xhtml,
            "www.w3.org/1999/02/22-rdf-syntax-ns" => Self::Rdf,
            "rssnamespace.org/feedburner/ext/1.0" => Self::Feedburner,
            _ if bare.starts_with("purl.org/atom/") => Self::Core,
            _ if bare.contains("userland.com/rss") => Self::Core,
            _ if bare.contains("podcast-1.0.dtd") => Self::Itunes,
            _ if prefix.is_empty() && on_root => Self::Core,
            _ if prefix.is_empty() => Self::Other,
            _ => Self::of_prefix(prefix),
        }
    }

    /// Returns the vocabulary that a prefix usually stands for.
    pub(super) fn of_prefix(prefix: &str) -> Self {
        match prefix.to_ascii_lowercase().as_str() {
            "" | "atom" | "atom10" | "atom03" | "a10" | "rss" | "rss1" | "rss2" => Self::Core,
            "dc" => Self::Dc,
            "dcterms" | "dcterm" => Self::DcTerms,
            "content" => Self::Content,
            "media" => Self::Media,
            "itunes" => Self::Itunes,
            "sy" => Self::Sy,
            "xhtml" | "html" => Self::Xhtml,
            "rdf" => Self::Rdf,
            "feedburner" => Self::Feedburner,
            _ => Self::Other,
        }
    }
}
