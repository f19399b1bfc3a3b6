//! Translates the part of `XPath` 1.0 that selects elements by tag, attributes and position into CSS selectors.

/// Maximum number of alternatives in one expression: nobody writes more by hand.
const MOST_ALTERNATIVES: usize = 32;

/// Returns the selectors equivalent to the expression. The error names the unsupported part.
pub(super) fn selectors(expression: &str) -> Result<Vec<String>, String> {
    let mut all = Vec::new();
    for path in split(expression, "|") {
        let mut found = vec![String::new()];
        for (axis, step) in steps(path.trim())? {
            let Some(choices) = step_selectors(step)? else { continue };
            let combinator = match axis {
                _ if found.iter().all(String::is_empty) => "",
                Axis::Child => " > ",
                Axis::Descendant => " ",
            };
            found = found
                .iter()
                .flat_map(|before| choices.iter().map(move |choice| format!("{before}{combinator}{choice}")))
                .collect();
            if found.len() > MOST_ALTERNATIVES {
                return Err(not_understood(expression));
            }
        }
        all.extend(found);
    }
    if all.iter().any(String::is_empty) { Err(not_understood(expression)) } else { Ok(all) }
}

/// Returns the text as a quoted CSS string.
pub(super) fn quoted(text: &str) -> String {
    let escaped = |c: char| match c {
        '"' | '\\' => format!("\\{c}"),
        c if c.is_control() => format!("\\{:x} ", u32::from(c)),
        c => c.to_string(),
    };
    format!("\"{}\"", text.chars().map(escaped).collect::<String>())
}

fn not_understood(expression: &str) -> String {
    format!("not understood: {expression}")
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Axis {
    Child,
    Descendant,
}

/// Splits an absolute path into its steps.
fn steps(path: &str) -> Result<Vec<(Axis, &str)>, String> {
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        let (axis, after) = match (rest.strip_prefix("//"), rest.strip_prefix('/')) {
            (Some(after), _) => (Axis::Descendant, after),
            (None, Some(after)) => (Axis::Child, after),
            (None, None) => return Err(not_understood(path)),
        };
        let end = split(after, "/").first().map_or(after.len(), |step| step.len());
        steps.push((axis, &after[..end]));
        rest = &after[end..];
    }
    Ok(steps)
}

/// Returns the selectors for a step, one per alternative; `None` for an attribute that is read anyway.
fn step_selectors(step: &str) -> Result<Option<Vec<String>>, String> {
    /// Attributes that are read from any element that has them.
    const READ_ANYWAY: [&str; 2] = ["@content", "@datetime"];
    if READ_ANYWAY.contains(&step) {
        return Ok(None);
    }
    let end = step.find('[').unwrap_or(step.len());
    let (tag, mut predicates) = step.split_at(end);
    if tag != "*" && !is_name(tag) {
        return Err(not_understood(step));
    }
    let mut choices = vec![if tag == "*" { String::new() } else { tag.to_ascii_lowercase() }];
    while let Some(rest) = predicates.strip_prefix('[') {
        let inside = split(rest, "]")[0];
        predicates = rest.get(inside.len() + 1..).ok_or_else(|| not_understood(step))?;
        let mut conditions = Vec::new();
        for alternative in split(inside, " or ") {
            let all: Vec<String> = split(alternative, " and ")
                .into_iter()
                .map(|term| condition(term.trim(), tag))
                .collect::<Result<_, _>>()?;
            conditions.push(all.concat());
        }
        choices = choices
            .iter()
            .flat_map(|before| conditions.iter().map(move |condition| format!("{before}{condition}")))
            .collect();
    }
    if !predicates.is_empty() || choices.len() > MOST_ALTERNATIVES {
        return Err(not_understood(step));
    }
    let named = |choice: String| if choice.is_empty() { "*".to_owned() } else { choice };
    Ok(Some(choices.into_iter().map(named).collect()))
}

/// Translates one condition on an element.
fn condition(term: &str, tag: &str) -> Result<String, String> {
    let bad = || not_understood(term);
    if let Some(number) = term.parse::<u32>().ok().filter(|number| *number > 0 && tag != "*") {
        return Ok(format!(":nth-of-type({number})"));
    }
    if term == "last()" && tag != "*" {
        return Ok(":last-of-type".to_owned());
    }
    if let Some(inner) = call(term, "not") {
        return Ok(format!(":not({})", condition(inner.trim(), tag)?));
    }
    for (function, sign) in [("contains", "*="), ("starts-with", "^=")] {
        let Some(inner) = call(term, function) else { continue };
        let arguments = split(inner, ",");
        let [subject, sought] = arguments.as_slice() else { return Err(bad()) };
        let sought = literal(sought.trim()).ok_or_else(bad)?;
        if let Some(name) = attribute(subject.trim()) {
            return Ok(format!("[{name}{sign}{}]", quoted(sought)));
        }
        // The usual idiom to match one of several classes.
        let is_of_words =
            call(subject.trim(), "concat").map(|inner| inner.replace(' ', "")).is_some_and(|inner| {
                ["normalize-space(@class)", "@class"]
                    .iter()
                    .any(|class| inner == format!("'',{class},''") || inner == format!("\"\",{class},\"\""))
            });
        let word = sought.strip_prefix(' ').and_then(|word| word.strip_suffix(' '));
        return match word.filter(|word| is_of_words && sign == "*=" && !word.contains(' ')) {
            Some(word) => Ok(format!("[class~={}]", quoted(word))),
            None => Err(bad()),
        };
    }
    match term.split_once('=') {
        None => attribute(term).map(|name| format!("[{name}]")).ok_or_else(bad),
        Some((name, value)) => {
            let name = attribute(name.trim()).ok_or_else(bad)?;
            let value = literal(value.trim()).ok_or_else(bad)?;
            Ok(format!("[{name}={}]", quoted(value)))
        }
    }
}

/// Returns the arguments of a call of `function`, if the term is nothing else.
fn call<'t>(term: &'t str, function: &str) -> Option<&'t str> {
    let inner = term.strip_prefix(function)?.trim_start().strip_prefix('(')?.strip_suffix(')')?;
    // The last bracket must match the first one.
    (split(inner, ")").len() == 1).then_some(inner)
}

fn attribute(term: &str) -> Option<&str> {
    term.strip_prefix('@').filter(|name| is_name(name))
}

fn literal(term: &str) -> Option<&str> {
    ['\'', '"'].into_iter().find_map(|quote| {
        let inner = term.strip_prefix(quote)?.strip_suffix(quote)?;
        (!inner.contains(quote)).then_some(inner)
    })
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

/// Splits a text at separators outside of quotes and brackets; an unmatched closing bracket may be a
/// separator.
fn split<'t>(text: &'t str, separator: &str) -> Vec<&'t str> {
    let (mut parts, mut begin, mut depth, mut quote) = (Vec::new(), 0, 0_u32, None);
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        if quote.is_none() && depth == 0 && text[at..].starts_with(separator) {
            parts.push(&text[begin..at]);
            at += separator.len();
            begin = at;
            continue;
        }
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, '(' | '[') => depth += 1,
            (None, ')' | ']') => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += c.len_utf8();
    }
    parts.push(&text[begin..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_a_box_becomes_a_selector() {
        for (expression, expected) in [
            ("//article", vec!["article"]),
            ("//div[@id='a']/p[1]", vec!["div[id=\"a\"] > p:nth-of-type(1)"]),
            ("/html/body//*[@itemprop=\"x\"]", vec!["html > body [itemprop=\"x\"]"]),
            ("//DIV[contains(@class,'a') and @id]", vec!["div[class*=\"a\"][id]"]),
            ("//p[@a='1' or @b='2']", vec!["p[a=\"1\"]", "p[b=\"2\"]"]),
            ("//h1 | //h2[not(@class)]", vec!["h1", "h2:not([class])"]),
            ("//meta[@name='author']/@content", vec!["meta[name=\"author\"]"]),
            (
                "//div[contains(concat(' ', normalize-space(@class), ' '), ' story ')]",
                vec!["div[class~=\"story\"]"],
            ),
            ("//a[starts-with(@href, '/]x')]", vec!["a[href^=\"/]x\"]"]),
            ("//p[@x='say \"no\"']", vec!["p[x=\"say \\\"no\\\"\"]"]),
            ("//ul[last()]", vec!["ul:last-of-type"]),
            ("//*", vec!["*"]),
        ] {
            assert_eq!(
                selectors(expression).as_deref(),
                Ok(expected.iter().map(ToString::to_string).collect::<Vec<_>>().as_slice()),
                "{expression}"
            );
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for expression in [
            "",
            "article",
            "//",
            "//p/text()",
            "//a/@href",
            "//p/following-sibling::p",
            "//p[position()<3]",
            "//p[contains(., 'x')]",
            "//*[1]",
            "//p[",
            "//p[@a='1]",
            "substring-after(//p, 'By ')",
            "//p[not(@a) = not(@b)]",
            "//p[contains(@a)]",
        ] {
            assert!(selectors(expression).is_err(), "{expression}: {:?}", selectors(expression));
        }
    }
}
