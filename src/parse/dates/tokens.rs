//! Splits a date into numbers, words and signs.

use jiff::civil::{Date, ISOWeekDate, Weekday};
use jiff::tz::TimeZone;

use super::words::month;
use super::zones::place;
use super::{Clock, Parts, compact_day, compact_time};

/// A token of a date.
#[derive(Debug)]
pub(super) enum Token {
    /// A number and the number of its digits.
    Number(i64, usize),
    Day(Day),
    Clock(Clock),
    Offset(i32),
    /// A zone by its IANA name: `Europe/Berlin`.
    Place(TimeZone),
    /// Lower case, without the final dot.
    Word(String),
    Unknown,
}

/// Two or three numbers joined by a separator; the first and third with the number of their digits.
#[derive(Debug)]
pub(super) struct Day {
    pub(super) first: (i64, usize),
    pub(super) second: Middle,
    pub(super) third: Option<(i64, usize)>,
    pub(super) separator: char,
}

impl Day {
    fn of(date: Date) -> Self {
        Self {
            first: (date.year().into(), 4),
            second: Middle::Number(date.month().into()),
            third: Some((date.day().into(), 2)),
            separator: '-',
        }
    }
}

/// The second part of a [`Day`], which may be the name of a month.
#[derive(Clone, Copy, Debug)]
pub(super) enum Middle {
    Number(i64),
    Month(i64),
}

/// Returns the tokens of a date, and the comments in its brackets, which may name a zone (`(CEST)`, `[Europe/Paris]`).
pub(super) fn tokens(text: &str) -> (Vec<Token>, String) {
    let (plain, comments) = uncommented(text);
    let mut tokens = Vec::new();
    for word in closed_up(&plain).split_whitespace() {
        tokenise(word, &mut tokens);
    }
    (tokens, comments)
}

/// Returns the text with its signs normalized and without comments, and the comments.
fn uncommented(text: &str) -> (String, String) {
    let mut plain = String::with_capacity(text.len());
    let mut comments = String::new();
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
            '(' | '[' => {
                depth += 1;
                comments.push(' ');
            }
            ')' | ']' => depth = depth.saturating_sub(1),
            c if depth > 0 => comments.push(c),
            ',' | ';' | '|' | '·' => plain.push(' '),
            // The minus sign and typographic dashes.
            '−' | '–' | '‐' => plain.push('-'),
            // Direction marks and zero-width characters, which some programs put around every part of a date.
            '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' => {}
            c => plain.push(c),
        }
    }
    (plain, comments)
}

/// Removes the blanks inside the parts of a date: `21. 4. 2025`, `2025 - 04 - 21`, `18 : 00`, `+ 02:00`.
fn closed_up(text: &str) -> String {
    let mut closed = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        let follows = after.trim_start();
        let at_digit = closed.trim_end().ends_with(|c: char| c.is_ascii_digit());
        let joins = match c {
            ':' => at_digit && in_clock(&closed) && starts_with_digit(follows),
            '+' => starts_with_digit(follows),
            '-' | '/' | '.' => {
                at_digit && (in_day(c, &closed) || begins_day(c, follows)) && starts_with_digit(follows)
            }
            _ => false,
        };
        if joins {
            if c != '+' {
                closed.truncate(closed.trim_end().len());
            }
            closed.push(c);
            rest = follows;
        } else {
            closed.push(c);
            rest = after;
        }
    }
    closed
}

fn starts_with_digit(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
}

/// Returns whether a colon after `text` continues a time: the text ends in `18` or `18:00`, not in a day.
fn in_clock(text: &str) -> bool {
    let before = text.trim_end().trim_end_matches(|c: char| c.is_ascii_digit() || c == ':');
    !before.ends_with(['-', '/', '.'])
}

/// Returns whether `separator` separates the second number of a day from the third: the text so far ends in `21.4`.
fn in_day(separator: char, text: &str) -> bool {
    let word = text.split_whitespace().next_back().unwrap_or_default();
    let mut numbers = word.split(separator);
    let is_number =
        |part: Option<&str>| part.is_some_and(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
    is_number(numbers.next()) && is_number(numbers.next()) && numbers.next().is_none()
}

/// Returns whether `separator`, before `text`, separates the first number of a day from the second: the third follows.
fn begins_day(separator: char, text: &str) -> bool {
    let second = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let third = second.trim_start().strip_prefix(separator).map(str::trim_start);
    second.len() < text.len() && third.is_some_and(starts_with_digit)
}

fn tokenise(word: &str, tokens: &mut Vec<Token>) {
    let names_place =
        word.starts_with(char::is_alphabetic) && word.contains(|c: char| c == '/' || c.is_ascii_digit());
    if let Some(place) = names_place.then(|| place(word)).flatten() {
        tokens.push(Token::Place(place));
        return;
    }
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
            // The `T` between day and time.
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

/// Reads a token that begins with a digit; returns its length.
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
            first: (year.number, 4),
            second: Middle::Number(month),
            third,
            separator: '-',
        }));
        return digits;
    }
    if let Some((clock, used)) = dotted_clock(text, tokens) {
        tokens.push(Token::Clock(clock));
        return used;
    }
    if digits == 4
        && let Some((date, used)) = odd_day(text)
    {
        tokens.push(Token::Day(Day::of(date)));
        return used;
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

/// Parses an ISO 8601 week date or ordinal date: `2025-W17-1`, `2025W171`, `2025-111`.
fn odd_day(text: &str) -> Option<(Date, usize)> {
    let year = i16::try_from(leading_number(&text[..4]).0).ok()?;
    let rest = text[4..].trim_start_matches('-');
    let Some(week) = rest.strip_prefix(['W', 'w']) else {
        let (day, digits) = leading_number(rest);
        let first = Date::new(year, 1, 1).ok()?;
        let date = first.with().day_of_year(i16::try_from(day).ok()?).build().ok()?;
        let is_day = digits == 3 && text.len() - rest.len() == 5;
        return is_day.then(|| (date, 5 + digits));
    };
    let number =
        week.get(..2).filter(|number| number.bytes().all(|byte| byte.is_ascii_digit()))?.parse().ok()?;
    let weekday = week[2..].trim_start_matches('-');
    let (weekday, rest) = match leading_number(weekday) {
        (day, 1) => (i8::try_from(day).ok()?, &weekday[1..]),
        _ => (1, &week[2..]),
    };
    let weekday = Weekday::from_monday_one_offset(weekday).ok()?;
    Some((ISOWeekDate::new(year, number, weekday).ok()?.date(), text.len() - rest.len()))
}

/// Parses the time `18.00`, `18.00.00` or `18h00` after a day: before one, dots separate days and months.
fn dotted_clock(text: &str, tokens: &[Token]) -> Option<(Clock, usize)> {
    let (hour, hour_digits) = leading_number(text);
    let rest = &text[hour_digits..];
    let is_dated = tokens.iter().any(|token| match token {
        Token::Day(_) => true,
        Token::Number(_, digits) => *digits == 4,
        _ => false,
    });
    let has_clock = tokens.iter().any(|token| matches!(token, Token::Clock(_)));
    if hour_digits > 2 || hour > 24 || !is_dated || has_clock || !rest.starts_with(['.', 'h', 'H']) {
        return None;
    }
    let (minute, digits) = leading_number(&rest[1..]);
    if digits != 2 {
        return None;
    }
    let mut at = hour_digits + 1 + digits;
    let mut second = 0;
    if rest.starts_with('.')
        && let Some((number, 2)) = text[at..].strip_prefix('.').map(leading_number)
    {
        second = number;
        at += 3;
    }
    let [hour, minute, second] = [hour, minute, second].map(|number| i8::try_from(number).unwrap_or(i8::MAX));
    Some((Clock { hour, minute, second, nanosecond: 0 }, at))
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
    // Two numbers can only be a year and a month.
    (third.is_some() || first.1 == 4).then_some((Day { first, second, third, separator }, at))
}

/// Parses `h:mm`, `hh:mm:ss` or `hh:mm:ss.fraction`.
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

/// Reads an offset such as `+0200`, `+02:00`, `+200`, `+2`; returns its length. A lone hyphen between words is skipped.
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
        3 | 4 => number / 100 * 60 + number % 100,
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
