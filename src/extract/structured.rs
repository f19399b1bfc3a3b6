//! The body that a page states in its JSON-LD: evidence of where the article is, never its text.

use html5ever::local_name;
use scraper::{Html, Node};
use serde_json::Value;

/// The longest `articleBody` or `text` in the page's JSON-LD.
pub(crate) fn body(html: &Html) -> Option<String> {
    let texts =
        html.tree.nodes().filter(|node| is_script(node.value())).filter_map(|script| script.first_child());
    let stated = texts.filter_map(|node| node.value().as_text()).filter(|text| text.contains("articleBody"));
    stated.filter_map(|text| longest(&serde_json::from_str(text).ok()?)).max_by_key(String::len)
}

fn is_script(node: &Node) -> bool {
    node.as_element().is_some_and(|element| element.name.local == local_name!("script"))
}

fn longest(value: &Value) -> Option<String> {
    let mut best: Option<&str> = None;
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        match value {
            Value::Array(items) => open.extend(items),
            Value::Object(fields) => {
                if let Some(Value::String(body)) = fields.get("articleBody")
                    && best.is_none_or(|best| best.len() < body.len())
                {
                    best = Some(body);
                }
                open.extend(fields.values());
            }
            _ => {}
        }
    }
    best.map(str::to_owned)
}
