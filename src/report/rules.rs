//! The rules by which a block of a page is kept or dropped, in words.

/// What a rule of an account says of a block; its name, where there are no words for it.
pub fn in_words(rule: &str) -> &str {
    match rule {
        "body" => "part of the article",
        "outside" => "outside of the article",
        "body.standfirst" => "the article's opening",
        "body.between" => "stands between parts of the article",
        "body.inset" => "set into the article",
        "body.entry" => "in a box made like those that hold the body that the page states",
        "site.body_elsewhere" => "where this site's other pages have their articles",
        "site.seen_elsewhere" => "seen on other pages of this site",
        "site.furniture_elsewhere" => "where this site's other pages have furniture",
        "site.chosen_again" => "chosen at the second look, by this site's other pages",
        "site.chosen_wrongly" => "not this page's article, by this site's other pages",
        "box.repeated" => "the second copy of a text",
        "box.hidden" => "hidden on the page",
        "box.caption" => "caption of a picture",
        "box.consent" => "consent dialog",
        "rule.title" => "says the headline",
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
        "feed.own" => "stands in the feed for the article",
        "feed.credit" => "added by the feed's generator",
        "operator.body" => "named by the operator's body selectors",
        "operator.drop" => "named by the operator's drop selectors",
        "operator.keep_text" => "fits the operator's keep_text",
        "operator.drop_text" => "fits the operator's drop_text",
        other => match other.strip_prefix("reading.") {
            Some(_) => "another reading of the whole page was believed",
            None => other,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::in_words;

    #[test]
    fn a_rule_without_words_is_named() {
        assert_eq!(in_words("rule.comments"), "comment widget");
        assert_eq!(in_words("reading.strict"), "another reading of the whole page was believed");
        assert_eq!(in_words("rule.of_tomorrow"), "rule.of_tomorrow");
    }
}
