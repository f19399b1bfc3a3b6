//! What a page states about its article in JSON-LD, beyond the metadata: evidence of where the body is, never its text.

use html5ever::local_name;
use serde_json::Value;

use crate::extract::html::tree::{NodeRef, Tree};

/// Statements about the article.
#[derive(Debug, Default)]
pub(crate) struct Statements {
    /// The longest `articleBody`.
    pub(crate) body: Option<String>,
    pub(crate) is_liveblog: bool,
    pub(crate) is_not_free: bool,
}

/// Reads them.
pub(crate) fn read(tree: &Tree) -> Statements {
    let mut statements = Statements::default();
    let is_script = |name: &html5ever::LocalName| *name == local_name!("script");
    let scripts = tree
        .nodes()
        .filter(|node| node.value().as_element().is_some_and(|element| is_script(&element.name.local)));
    let texts = scripts.filter_map(NodeRef::first_child).filter_map(|node| node.value().as_text());
    for text in texts {
        let is_of_interest =
            ["articleBody", "LiveBlogPosting", "isAccessibleForFree"].iter().any(|word| text.contains(word));
        if is_of_interest && let Ok(value) = serde_json::from_str(text) {
            statements.add(value);
        }
    }
    statements
}

impl Statements {
    fn add(&mut self, value: Value) {
        let mut open = vec![value];
        while let Some(value) = open.pop() {
            match value {
                Value::Array(items) => open.extend(items),
                Value::Object(mut fields) => {
                    if let Some(Value::String(body)) = fields.remove("articleBody")
                        && self.body.as_ref().is_none_or(|best| best.len() < body.len())
                    {
                        self.body = Some(body);
                    }
                    self.is_liveblog |= fields.get("@type").is_some_and(|kind| *kind == "LiveBlogPosting");
                    self.is_not_free |= fields.get("isAccessibleForFree").is_some_and(|free| match free {
                        Value::Bool(free) => !free,
                        Value::String(free) => free.eq_ignore_ascii_case("false"),
                        _ => false,
                    });
                    open.extend(fields.into_iter().map(|(_, value)| value));
                }
                _ => {}
            }
        }
    }
}
