//! Reads the time of day in a visible date, and its zone.

use jiff::civil::Time;
use jiff::tz::Offset;

use super::tokens::Token;
use crate::languages::LANGUAGES;
use crate::zones;

/// Reads "14:30", "2.30 pm", "14h30", "14:30:05 +02:00", "14:30 CET". Seconds are dropped.
pub(super) fn time_of_day(tokens: &[Token]) -> Option<(Time, Option<Offset>)> {
    (0..tokens.len()).find_map(|i| {
        let [hour, separator, Token::Number(minute, 2), rest @ ..] = &tokens[i..] else { return None };
        let mut rest = rest;
        let hour = hour.small()?;
        let after_date = i > 0 && tokens[i - 1].is('.');
        let half = |rest: &[Token]| match rest {
            [Token::Word(word), ..] if word == "am" || word == "pm" => Some((word == "pm", 1)),
            [Token::Word(word), Token::Sign('.'), Token::Word(m), ..]
                if m == "m" && (word == "a" || word == "p") =>
            {
                Some((word == "p", 3))
            }
            _ => None,
        };
        let colon = separator.is(':') || separator.word() == Some("h");
        let dotted = separator.is('.') && !after_date && half(rest).is_some();
        if !(colon || dotted) {
            return None;
        }
        if let [Token::Sign(':'), Token::Number(_, 2), more @ ..] = rest {
            rest = more;
        }
        let hour = match half(rest) {
            Some((is_pm, used)) => {
                rest = &rest[used..];
                hour % 12 + if is_pm { 12 } else { 0 }
            }
            None => hour,
        };
        let time = Time::new(hour, i8::try_from(*minute).ok()?, 0, 0).ok()?;
        Some((time, zone(rest)))
    })
}

/// Returns the UTC offset that follows a time.
fn zone(rest: &[Token]) -> Option<Offset> {
    let rest = match rest {
        [Token::Sign('('), rest @ ..] => rest,
        [Token::Word(word), rest @ ..] if LANGUAGES.date.clock.contains(word) => rest,
        _ => rest,
    };
    let signed = |sign: &Token, hours: i64, minutes: i64| {
        let minutes = i32::try_from(hours * 60 + minutes).ok()?;
        let minutes = if sign.is('+') { minutes } else { -minutes };
        Offset::from_seconds(minutes.checked_mul(60)?).ok()
    };
    let numeric = |rest: &[Token]| match rest {
        [
            sign @ Token::Sign('+' | '-'),
            Token::Number(hours, 2),
            Token::Sign(':'),
            Token::Number(minutes, 2),
            ..,
        ] => signed(sign, *hours, *minutes),
        [sign @ Token::Sign('+' | '-'), Token::Number(both, 4), ..] => signed(sign, both / 100, both % 100),
        [sign @ Token::Sign('+' | '-'), Token::Number(hours, 1 | 2), ..] => signed(sign, *hours, 0),
        _ => None,
    };
    match rest {
        [Token::Word(name), rest @ ..] => {
            let offset = zones::offset(name)?;
            numeric(rest).or(Some(offset))
        }
        _ => numeric(rest),
    }
}
