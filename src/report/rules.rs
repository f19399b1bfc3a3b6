//! Descriptions of the rules that keep or drop a block of a page.

/// The rule that keeps what the model assigns to the article: most of the text.
pub const BODY: &str = "body";
/// The rule that drops a text because it was seen on other pages of its site.
pub const SEEN_ELSEWHERE: &str = "site.seen_elsewhere";

/// Returns the description of a rule, or its name if it has none.
pub fn in_words(rule: &str) -> &str {
    match rule {
        BODY => "part of the article",
        "outside" => "outside the article",
        "body.standfirst" => "the article's opening",
        "body.between" => "between parts of the article",
        "body.inset" => "table, list, quotation or note in the article",
        "body.entry" => "in one of several like boxes that hold the body that the page states",
        "site.body_elsewhere" => "where this site's other pages have the article",
        SEEN_ELSEWHERE => "seen on other pages of this site",
        "site.furniture_elsewhere" => "where this site's other pages have boilerplate",
        "site.chosen_again" => "chosen after comparison with this site's other pages",
        "site.chosen_wrongly" => "rejected after comparison with this site's other pages",
        "box.repeated" => "the second copy of a text",
        "box.hidden" => "hidden on the page",
        "box.caption" => "caption of a picture",
        "box.consent" => "consent dialog",
        "box.tabs" => "label of a tab",
        "box.value" => "value after a label that is not part of the article",
        "box.contents" => "table of contents of the page",
        "box.next_article" => "the next article on the same page",
        "rule.title" => "repeats the headline",
        "rule.comments" => "comment widget",
        "rule.related" => "links to other articles",
        "rule.newsletter" => "newsletter offer",
        "rule.share" => "share buttons",
        "rule.author_box" => "author's box",
        "rule.credit" => "credit",
        "rule.paywall" => "offer of a subscription",
        "rule.consent" => "consent notice",
        "rule.copyright" => "copyright notice",
        "rule.byline" => "byline",
        "rule.dateline" => "dateline",
        "feed.own" => "the entry's own text in the feed",
        "feed.credit" => "added by the feed's generator",
        "operator.body" => "matches the operator's body selectors",
        "operator.drop" => "matches the operator's drop selectors",
        "operator.keep_text" => "matches the operator's keep_text",
        "operator.drop_text" => "matches the operator's drop_text",
        other => match other.strip_prefix("reading.") {
            Some(_) => "another reading of the whole page is used",
            None => other,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::in_words;
    use crate::extract::rule_names;

    #[test]
    fn every_rule_has_words() {
        for name in rule_names() {
            assert_ne!(in_words(name), name);
        }
    }

    #[test]
    fn a_rule_without_words_is_named() {
        assert_eq!(in_words("rule.comments"), "comment widget");
        assert_eq!(in_words("reading.strict"), "another reading of the whole page is used");
        assert_eq!(in_words("rule.of_tomorrow"), "rule.of_tomorrow");
    }
}
