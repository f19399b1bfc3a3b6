//! A date cut into numbers, words and signs.

use super::words::month;
use super::{Clock, Parts, compact_day, compact_time};

/// A piece of a date.
#[derive(Debug)]
pub(super) enum Token {
    /// A number and how many digits it had.
    Number(i64, usize),
    Day(Day),
    Clock(Clock),
    Offset(i32),
    /// Lower case, without the final dot.
    Word(String),
    Unknown,
}

/// Two or three numbers joined by a separator, each with how many digits it had.
#[derive(Debug)]
pub(super) struct Day {
    pub(super) first: (i64, usize),
    pub(super) second: Middle,
    pub(super) third: Option<(i64, usize)>,
    pub(super) separator: char,
}

/// The number in the middle, which may be a month's name.
#[derive(Clone, Copy, Debug)]
pub(super) enum Middle {
    Number(i64),
    Month(i64),
}

/// Cuts a date into tokens. Brackets and what they hold are comments: `(CEST)`, `[Europe/Paris]`.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut plain = String::with_capacity(text.len());
    let mut depth = 0_usize;
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '年' | '月' | '년' | '월' => {
                plain.push('-');
                while characters.next_if(|next| next.is_whitespace()).is_some() {}
            }
            '日' | '일' => plain.push(' '),
            // A decimal comma after the seconds.
            ',' if plain.ends_with(|c: char| c.is_ascii_digit())
                && plain.split_whitespace().next_back().is_some_and(|word| word.contains(':'))
                && characters.peek().is_some_and(char::is_ascii_digit) =>
            {
                plain.push('.');
            }
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            ',' | ';' | '|' | '·' => plain.push(' '),
            // The minus sign and dashes of typography.
            '−' | '–' | '‐' => plain.push('-'),
            c => plain.push(c),
        }
    }
    let mut tokens = Vec::new();
    for word in plain.split_whitespace() {
        tokenise(word, &mut tokens);
    }
    tokens
}

fn tokenise(word: &str, tokens: &mut Vec<Token>) {
    let mut rest = word;
    while !rest.is_empty() {
        let previous_is_clock = matches!(tokens.last(), Some(Token::Clock(_)));
        let first = rest.chars().next().unwrap_or_default();
        let used = if first.is_ascii_digit() {
            number_token(rest, tokens)
        } else if matches!(first, '+' | '-') {
            offset_token(rest, previous_is_clock, tokens)
        } else if first.is_alphabetic() {
            let end =
                rest.find(|c: char| !(c.is_alphabetic() || c == '.' || c == '\'')).unwrap_or(rest.len());
            let word = rest[..end].trim_end_matches('.').to_lowercase();
            // The T between day and time.
            let is_joint = word == "t" && rest[end..].starts_with(|c: char| c.is_ascii_digit());
            if !is_joint {
                tokens.push(Token::Word(word));
            }
            end
        } else {
            if !matches!(first, '.' | '/' | '@' | '"' | '\'' | ':') {
                tokens.push(Token::Unknown);
            }
            first.len_utf8()
        };
        rest = &rest[used..];
    }
}

pub(super) fn leading_number(text: &str) -> (i64, usize) {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    (text[..digits.min(18)].parse().unwrap_or(0), digits)
}

/// A token that begins with a digit; returns its length.
fn number_token(text: &str, tokens: &mut Vec<Token>) -> usize {
    let (number, digits) = leading_number(text);
    let rest = &text[digits..];
    if rest.starts_with(':')
        && digits <= 2
        && let Some((clock, used)) = clock(text)
    {
        tokens.push(Token::Clock(clock));
        return used;
    }
    if digits == 8
        && matches!(rest.chars().next(), None | Some('T' | 't'))
        && let Some(Parts { year: Some(year), month: Some(month), day: Some(day), .. }) =
            compact_day(&text[..8])
    {
        let third = Some((day, 2));
        tokens.push(Token::Day(Day {
            first: (year, 4),
            second: Middle::Number(month),
            third,
            separator: '-',
        }));
        return digits;
    }
    if (digits == 6 || digits == 4 && !rest.starts_with('-'))
        && matches!(tokens.last(), Some(Token::Day(_)))
        && let Some(clock) = compact_time(&text[..digits])
    {
        tokens.push(Token::Clock(clock));
        return digits;
    }
    let separator = rest.chars().next().filter(|c| matches!(c, '-' | '/' | '.'));
    if let Some(separator) = separator
        && let Some((day, used)) = day_token(text, separator)
    {
        tokens.push(Token::Day(day));
        return used;
    }
    tokens.push(Token::Number(number, digits));
    // 1st, 2nd, 3rd, 4th
    let suffix =
        rest.get(..2).is_some_and(|s| ["st", "nd", "rd", "th"].iter().any(|o| s.eq_ignore_ascii_case(o)));
    let joint = rest.get(2..).is_none_or(|after| !after.starts_with(char::is_alphabetic));
    digits + if suffix && joint { 2 } else { 0 }
}

fn day_token(text: &str, separator: char) -> Option<(Day, usize)> {
    let (first, digits) = leading_number(text);
    let mut at = digits + 1;
    let rest = text.get(at..)?;
    let word_length = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
    let second = if word_length > 0 {
        at += word_length;
        Middle::Month(month(&rest[..word_length].to_lowercase())?)
    } else {
        let (number, digits) = leading_number(rest);
        at += digits;
        (1..=2).contains(&digits).then_some(Middle::Number(number))?
    };
    let third = text.get(at..).and_then(|rest| rest.strip_prefix(separator)).map(leading_number);
    let third = third.filter(|(_, digits)| matches!(digits, 1 | 2 | 4));
    if let Some((_, digits)) = third {
        at += 1 + digits;
    }
    let first = (first, digits);
    // Without a third number only a year and a month make sense.
    (third.is_some() || first.1 == 4).then_some((Day { first, second, third, separator }, at))
}

/// `h:mm`, `hh:mm:ss`, `hh:mm:ss.fraction`.
fn clock(text: &str) -> Option<(Clock, usize)> {
    let (hour, mut at) = leading_number(text);
    let field = |at: &mut usize| {
        let rest = text.get(*at..)?.strip_prefix(':')?;
        let (number, digits) = leading_number(rest);
        (1..=2).contains(&digits).then(|| *at += 1 + digits)?;
        i8::try_from(number).ok()
    };
    let minute = field(&mut at)?;
    let second = field(&mut at).unwrap_or(0);
    let mut nanosecond = 0;
    if let Some(rest) = text.get(at..).and_then(|rest| rest.strip_prefix(['.', ','])) {
        let (_, digits) = leading_number(rest);
        if digits > 0 {
            let kept = &rest[..digits.min(9)];
            nanosecond = kept.parse::<i32>().ok()? * 10_i32.pow(9 - u32::try_from(kept.len()).ok()?);
            at += 1 + digits;
        }
    }
    Some((Clock { hour: i8::try_from(hour).ok()?, minute, second, nanosecond }, at))
}

/// An offset as `+0200`, `+02:00`, `+2`; a lone hyphen between words is nothing.
fn offset_token(text: &str, after_clock: bool, tokens: &mut Vec<Token>) -> usize {
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let (number, digits) = leading_number(&text[1..]);
    let mut used = 1 + digits;
    let number = i32::try_from(number).unwrap_or(i32::MAX);
    let minutes = match digits {
        0 => return 1,
        1 | 2 => {
            let mut minutes = number * 60;
            if let Some(rest) = text[used..].strip_prefix(':') {
                let (number, digits) = leading_number(rest);
                minutes += i32::try_from(number).unwrap_or(i32::MAX).min(60);
                used += 1 + digits;
            }
            minutes
        }
        4 => number / 100 * 60 + number % 100,
        _ => {
            tokens.push(Token::Unknown);
            return used;
        }
    };
    let after_zone = matches!(tokens.last(), Some(Token::Word(_)));
    if !(after_clock || after_zone || tokens.iter().any(|token| matches!(token, Token::Clock(_)))) {
        tokens.push(Token::Unknown);
        return used;
    }
    tokens.push(Token::Offset(sign * minutes * 60));
    used
}
