//! A feed's metadata.

use jiff::civil::Weekday;
use url::Url;

use super::content::{body, line, value};
use super::entry::{authors, link_rank, relation};
use super::links::{resolve, site};
use super::space::Space;
use super::tree::Element;
use super::{FeedInfo, Flavour};

/// WebSub hubs kept.
const MAX_HUBS: usize = 10;

/// Collects a feed's metadata from its elements.
pub(super) struct FeedReader<'b> {
    flavour: Flavour,
    base: Option<&'b Url>,
    info: FeedInfo,
    /// Authors of the feed, inherited by entries that name none.
    pub(super) authors: Vec<String>,
    link_rank: u8,
    period: Option<(u32, u32)>,
}

impl<'b> FeedReader<'b> {
    pub(super) fn new(flavour: Flavour, base: Option<&'b Url>) -> Self {
        Self {
            flavour,
            base,
            info: FeedInfo::default(),
            authors: Vec::new(),
            link_rank: u8::MAX,
            period: None,
        }
    }

    /// Reads the attributes of a root or channel.
    pub(super) fn container(&mut self, element: Element<'_>) {
        if let Some(language) = element.attribute("xml:lang") {
            self.info.language.get_or_insert_with(|| language.replace('_', "-"));
        }
        if let Some(href) = element.attribute("href") {
            self.link(5, &href, element);
        }
    }

    /// Reads one child element of a channel or feed.
    pub(super) fn child(&mut self, child: Element<'_>) {
        let name = child.name().to_ascii_lowercase();
        let plain = self.flavour == Flavour::Atom;
        let info = &mut self.info;
        match (child.space(), name.as_str()) {
            (Space::Core | Space::Dc, "title") => keep(&mut info.title, || line(child, plain)),
            (Space::Core, "subtitle" | "tagline") => keep(&mut info.description, || body(child, plain)),
            (Space::Core, "description" | "abstract") => keep(&mut info.description, || body(child, false)),
            (Space::Dc, "description") => keep(&mut info.description, || body(child, false)),
            (Space::Itunes, "summary" | "subtitle") => keep(&mut info.description, || body(child, false)),
            (Space::Core | Space::Dc, "language") => {
                if let Some(language) = value(child) {
                    info.language = Some(language);
                }
            }
            (Space::Core, "id" | "guid") => keep(&mut info.id, || value(child)),
            (Space::Core, "link") => self.core_link(child),
            (Space::Core, "ttl") => info.hints.ttl_minutes = value(child).and_then(|text| text.parse().ok()),
            (Space::Core, "skiphours") => info.hints.skip_hours = skip_hours(child),
            (Space::Core, "skipdays") => info.hints.skip_days = skip_days(child),
            (Space::Core, "author") | (Space::Dc, "creator") => self.authors.extend(authors(child)),
            (Space::Sy, "updateperiod") => {
                let period = value(child).unwrap_or_default().to_ascii_lowercase();
                let seconds = match period.as_str() {
                    "hourly" => 3_600,
                    "daily" => 86_400,
                    "weekly" => 7 * 86_400,
                    "monthly" => 30 * 86_400,
                    "yearly" => 365 * 86_400,
                    _ => return,
                };
                self.period = Some((seconds, self.period.map_or(1, |(_, frequency)| frequency)));
            }
            (Space::Sy, "updatefrequency") => {
                let Some(frequency) = value(child).and_then(|text| text.parse().ok()) else { return };
                self.period = Some((self.period.map_or(86_400, |(seconds, _)| seconds), frequency));
            }
            _ => {}
        }
    }

    fn core_link(&mut self, child: Element<'_>) {
        let Some(href) = child.attribute("href") else {
            return self.link(0, &child.text(), child);
        };
        match relation(child).as_str() {
            "" | "alternate" => self.link(link_rank(child), &href, child),
            "self" => keep(&mut self.info.self_url, || resolve(&href, child, self.base)),
            "hub" if self.info.hubs.len() < MAX_HUBS => {
                self.info.hubs.extend(resolve(&href, child, self.base));
            }
            _ => {}
        }
    }

    /// Offers a site link; a relative one without a base is kept unresolved.
    fn link(&mut self, rank: u8, reference: &str, element: Element<'_>) {
        let resolved = resolve(reference, element, self.base);
        let rank = if resolved.is_some() { rank } else { rank + 10 };
        let link = site(reference, resolved);
        if rank < self.link_rank && link.is_some() {
            self.link_rank = rank;
            self.info.link = link;
        }
    }

    pub(super) fn finish(mut self) -> (FeedInfo, Vec<String>) {
        self.info.hints.update_period_secs =
            self.period.map(|(seconds, frequency)| seconds / frequency.max(1));

        (self.info, self.authors)
    }
}

fn keep<T>(slot: &mut Option<T>, value: impl FnOnce() -> Option<T>) {
    if slot.is_none() {
        *slot = value();
    }
}

fn skip_hours(element: Element<'_>) -> Vec<u8> {
    let hours = element.children().filter_map(|hour| hour.text().trim().parse::<u8>().ok());
    // RSS 0.91 counts from 1 to 24.
    let mut hours: Vec<u8> = hours.filter(|hour| *hour <= 24).map(|hour| hour % 24).collect();
    hours.sort_unstable();
    hours.dedup();
    hours
}

fn skip_days(element: Element<'_>) -> Vec<u8> {
    let days = element.children().filter_map(|day| {
        let day = match day.text().trim().get(..3)?.to_ascii_lowercase().as_str() {
            "mon" => Weekday::Monday,
            "tue" => Weekday::Tuesday,
            "wed" => Weekday::Wednesday,
            "thu" => Weekday::Thursday,
            "fri" => Weekday::Friday,
            "sat" => Weekday::Saturday,
            "sun" => Weekday::Sunday,
            _ => return None,
        };
        u8::try_from(day.to_monday_one_offset()).ok()
    });
    let mut days: Vec<u8> = days.collect();
    days.sort_unstable();
    days.dedup();
    days
}
