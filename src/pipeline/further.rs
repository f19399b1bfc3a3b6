//! The further pages of an article: fetched one by one, each by the link on the page before.
//!
//! Whether the article continues on another page is decided by `extract`, which reads all pages so far together, the same
//! way as it does later when they are read from the store. So the few multi-page articles are read several times, while
//! nearly all articles have one page and are read once.

use url::Url;

use super::pages::{Bodies, Origin, Read, ReadPage};
use super::refine::{Draft, Ingredients};
use super::task::{Ending, Task};
use super::workers::WorkError;
use crate::extract;
use crate::fetch::{FetchError, Retry};
use crate::model::{RawPages, after};
use crate::work;

/// The result of a worker that read the pages so far.
enum Step {
    Whole {
        draft: Box<Draft>,
        /// Whether that took more work than the budget for the pages.
        is_overrun: bool,
    },
    /// The text continues on this page.
    GoesOn(Url, Box<Ingredients>, Box<Bodies>),
}

/// The result of fetching one more page.
enum Further {
    Page(Box<ReadPage>),
    /// The page cannot be had; `may_come` says whether it may be available later.
    Missing {
        may_come: bool,
    },
}

impl Task<'_> {
    /// Makes the article that begins on the page of `ingredients`, with its further pages: as many as the operator wants,
    /// as are available, and as together are no larger than a page may be.
    pub(super) async fn whole(
        &self,
        mut ingredients: Box<Ingredients>,
        mut origin: Origin,
    ) -> Result<Result<Draft, WorkError>, Ending> {
        let keeping = self.options.keeping.raw;
        let most_pages = self.plan.settings.max_article_pages as usize;
        let mut goes_on = true;
        loop {
            let may_go_on = goes_on && ingredients.further.len() + 1 < most_pages;
            let work = move || step(ingredients, origin, keeping, may_go_on);
            let (next, mut read, mut bodies) = match self.on_worker(work).await? {
                Ok(Step::GoesOn(next, ingredients, bodies)) => (next, ingredients, bodies),
                Ok(Step::Whole { draft, is_overrun: true }) => {
                    self.note_overrun();
                    return Ok(Ok(*draft));
                }
                Ok(Step::Whole { draft, is_overrun: false }) => {
                    self.shared.rests.note_success(self.entry.feed_id);
                    return Ok(Ok(*draft));
                }
                Err(error) => return Ok(Err(error)),
            };
            match self.further_page(&next, &read, &bodies).await? {
                Further::Page(further) => {
                    let ReadPage { page, body, .. } = *further;
                    read.further.push(page);
                    bodies.further.push(body);
                    self.held.hold(read.memory()).await;
                }
                Further::Missing { may_come } => {
                    goes_on = false;
                    bodies.lacks_one = may_come;
                }
            }
            (ingredients, origin) = (read, Origin::Server(*bodies));
        }
    }

    async fn further_page(&self, url: &Url, read: &Ingredients, bodies: &Bodies) -> Result<Further, Ending> {
        let fetcher = &self.plan.fetcher;
        let least_time = fetcher.timeout(&self.options.request) + self.plan.settings.extract_timeout;
        // A fetch that ends after the lease is wasted, and a task that already exceeds the memory pool must not wait for
        // more.
        if after(self.now(), least_time) > self.entry.lease.until || self.held.is_uncounted() {
            return Ok(Further::Missing { may_come: true });
        }
        let held = self.shared.memory.share();
        let task = Task { held: &held, ..*self };
        let response = match task.fetch(url, None).await? {
            Ok(response) => response,
            Err(error) => {
                tracing::warn!(page.next = %url, reason = %error, "cannot fetch the next page of the article");
                let may_come = matches!(error, FetchError::HostPaused { .. })
                    || matches!(error.retry(), Retry::Later(_));
                return Ok(Further::Missing { may_come });
            }
        };
        let Read::Page(further) = task.read(url, response).await? else {
            return Ok(Further::Missing { may_come: true });
        };
        self.held.absorb(&held);
        let bytes = bodies.further.iter().chain([&bodies.first, &further.body]).map(|body| body.bytes.len());
        let is_elsewhere = further.page.final_url.host() != read.page.final_url.host();
        if is_elsewhere || bytes.sum::<usize>() > fetcher.page_max_body_bytes() {
            return Ok(Further::Missing { may_come: false });
        }
        self.archived(*further).await.map(|further| Further::Page(Box::new(further)))
    }
}

/// Reads all pages so far; runs on a CPU worker.
fn step(ingredients: Box<Ingredients>, origin: Origin, keeping: RawPages, may_go_on: bool) -> Step {
    let ((article, fingerprint), steps) = work::steps_of(|| ingredients.refined());
    let is_overrun = steps > extract::budget(1 + ingredients.further.len());
    match (origin, &article.next_page) {
        (Origin::Server(bodies), Some(next)) if may_go_on => {
            Step::GoesOn(next.clone(), ingredients, Box::new(bodies))
        }
        (origin, _) => {
            let draft = Box::new(Draft::new(article, fingerprint, origin, &ingredients, keeping));
            Step::Whole { draft, is_overrun }
        }
    }
}
