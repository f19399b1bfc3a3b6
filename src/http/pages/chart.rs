//! Articles per hour as a bar chart, and as a table for those who cannot see it.

use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};

use super::frame::{columns, count, grouped, moment, table};
use crate::store::ArticlesOfHour;

/// Number of hours in the chart.
pub(super) const HOURS: i64 = 72;

/// Width of one hour, width of its bar, and height of the chart, in SVG user units.
const STEP: i64 = 10;
const BAR: i64 = 8;
const HEIGHT: u64 = 100;

/// Returns the start of the first hour of the chart, whose last hour contains `now`.
pub(super) fn start(now: Timestamp) -> Timestamp {
    let hour = SignedDuration::from_hours(1);
    let began = now.as_second() - now.as_second().rem_euclid(hour.as_secs());
    let began = Timestamp::from_second(began).unwrap_or(now);
    began.checked_sub(SignedDuration::from_hours(HOURS - 1)).unwrap_or(began)
}

/// Returns every hour of the chart, including those without articles.
fn hours(start: Timestamp, known: &[ArticlesOfHour]) -> Vec<ArticlesOfHour> {
    let hour = |n| start.checked_add(SignedDuration::from_hours(n)).unwrap_or(start);
    let articles_of = |began_at| known.iter().find(|hour| hour.began_at == began_at);
    (0..HOURS)
        .map(|n| {
            let began_at = hour(n);
            ArticlesOfHour { began_at, articles: articles_of(began_at).map_or(0, |hour| hour.articles) }
        })
        .collect()
}

pub(super) fn show(start: Timestamp, known: &[ArticlesOfHour]) -> Markup {
    let hours = hours(start, known);
    let all: u64 = hours.iter().map(|hour| hour.articles).sum();
    let most = hours.iter().max_by_key(|hour| hour.articles).copied();
    let highest = most.map_or(0, |hour| hour.articles).max(1);
    let says = format!("{} in the last {HOURS} hours", count(all, "article", "articles"));
    html! {
        figure {
            svg.chart role="img" aria-labelledby="chart-title" preserveAspectRatio="none"
                viewBox={ "0 0 " (HOURS * STEP) " " (HEIGHT) } {
                title id="chart-title" { "Articles stored in each hour: " (says) }
                @for (n, hour) in (0_i64..).zip(&hours) {
                    @let height = hour.articles * HEIGHT / highest;
                    rect x=(n * STEP + 1) y=(HEIGHT - height) width=(BAR) height=(height) {}
                }
            }
            div.ends aria-hidden="true" { span { (HOURS) " hours ago" } span { "now" } }
            figcaption {
                (says)
                @if let Some(most) = most.filter(|most| most.articles > 0) {
                    "; most in one hour: " (grouped(most.articles)) ", from " (moment(most.began_at))
                }
                "."
            }
        }
        details {
            summary { "Show as a table" }
            (table("Articles per hour", &columns(&["Hour", "Articles"]), &html! {
                @for hour in hours.iter().rev() {
                    tr { td { (moment(hour.began_at)) } td.number { (grouped(hour.articles)) } }
                }
            }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hour_has_a_bar_and_the_highest_fills_the_chart() {
        let now: Timestamp = "2026-03-02T08:20:00Z".parse().unwrap();
        let start = start(now);
        assert_eq!(start.to_string(), "2026-02-27T09:00:00Z");
        let hour = |at: &str, articles| ArticlesOfHour { began_at: at.parse().unwrap(), articles };
        let known = [hour("2026-03-01T10:00:00Z", 40), hour("2026-03-02T08:00:00Z", 10)];
        let chart = show(start, &known).into_string();
        assert_eq!(chart.matches("<rect ").count(), 72);
        assert!(chart.contains("x=\"711\" y=\"75\" width=\"8\" height=\"25\""), "{chart}");
        assert!(chart.contains("height=\"100\"") && chart.contains("50 articles in the last 72 hours"));
        assert!(show(start, &[]).into_string().contains("0 articles"));
    }
}
