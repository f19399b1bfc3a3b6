//! The requests, hop by hop.

use std::sync::Arc;
use std::time::Duration;

use http::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, COOKIE, HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE,
    IF_NONE_MATCH, REFRESH, USER_AGENT,
};
use url::Url;

use super::budget::Budget;
use super::chain::{Chain, location, split_credentials};
use super::client::{ClientKey, Clients, MAX_HEADER_BYTES};
use super::guard::Guard;
use super::headers::{
    CLOCK_TOLERANCE, MAX_VALUE_BYTES, PRODUCT, header_value, readable, user_agent, validators,
};
use super::host::{Hosts, Turn};
use super::names::Names;
use super::{
    Auth, Content, FetchError, ObjectClient, Posted, Purpose, Request, RequestOptions, Response, Settings,
    body, encoding, freshness, links, media, page_body, refresh, robots,
};
use crate::clock::Clock;
use crate::impostor::{self, Impostor, by_headers};
use crate::memory::{Memory, Share};
use crate::model::{PageBody, Validators};
use crate::shards::{Elsewhere, Pass, Shards};
use crate::telemetry::metrics;

const ACCEPT_FEED: &str = "application/atom+xml, application/rss+xml, application/feed+json, application/rdf+xml;q=0.9, \
                           application/xml;q=0.8, text/xml;q=0.8, application/json;q=0.7, */*;q=0.1";
const ACCEPT_PAGE: &str =
    "text/html, application/xhtml+xml, application/xml;q=0.9, text/plain;q=0.8, */*;q=0.1";
const ACCEPT_ROBOTS: &str = "text/plain, */*;q=0.1";
/// Retry delay of a request that was cancelled because other processes may consider this one dead.
const LAPSE: Duration = Duration::from_secs(1);
/// Statuses that bot checks are sent with.
const REFUSALS: [u16; 4] = [403, 405, 429, 503];
/// Bytes of a refusal's body that are examined.
const REFUSAL_BYTES: usize = 64 << 10;

/// The HTTP client. Cheap to clone; all clones share connections and host limits.
#[derive(Clone, Debug)]
pub struct Fetcher(pub(super) Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) settings: Settings,
    pub(super) clock: Clock,
    user_agent: HeaderValue,
    guard: Arc<Guard>,
    clients: Clients,
    pub(super) hosts: Hosts,
    robots: robots::Cache,
    memory: Memory,
    shards: Shards,
}

/// The parts of a request that all its hops share.
pub(super) struct Plan<'a> {
    pub(super) start: Url,
    pub(super) wanted: Wanted,
    pub(super) validators: &'a Validators,
    pub(super) options: &'a RequestOptions,
    /// Credentials from the options, else those in the URL.
    pub(super) auth: Option<Auth>,
    pub(super) obey_robots: bool,
    /// The body to POST; `None` for a GET.
    pub(super) posted: Option<Posted<'a>>,
}

/// What a request is for, including the client's own requests for robots.txt.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    For(Purpose),
    Robots,
}

impl Wanted {
    fn accept(self) -> &'static str {
        match self {
            Self::For(Purpose::Feed) => ACCEPT_FEED,
            Self::For(Purpose::Page) => ACCEPT_PAGE,
            Self::For(Purpose::Hub | Purpose::Webhook) => "*/*",
            Self::Robots => ACCEPT_ROBOTS,
        }
    }

    fn max_body_bytes(self, settings: &Settings) -> u64 {
        match self {
            Self::For(Purpose::Feed) => settings.feed_max_body_bytes,
            Self::For(Purpose::Page) => settings.page_max_body_bytes,
            // Response bodies of POSTs are not read.
            Self::For(Purpose::Hub | Purpose::Webhook) => 0,
            Self::Robots => robots::MAX_BYTES,
        }
    }
}

impl Fetcher {
    /// Builds a client without a memory budget that may request any host.
    pub fn new(settings: Settings, clock: Clock) -> Result<Self, FetchError> {
        Self::within(settings, clock, Memory::unbounded(), Shards::all())
    }

    /// Builds a client whose bodies count against `memory` and which requests only hosts in this process's shards.
    pub fn within(
        settings: Settings,
        clock: Clock,
        memory: Memory,
        shards: Shards,
    ) -> Result<Self, FetchError> {
        let hosts = Hosts::new(settings.host_concurrency);
        Self::build(settings, clock, hosts, (memory, shards))
    }

    /// Returns the cap on a feed's body.
    pub fn feed_max_body_bytes(&self) -> usize {
        usize::try_from(self.0.settings.feed_max_body_bytes).unwrap_or(usize::MAX)
    }

    /// Returns a client for the operator's object stores.
    pub fn object_client(&self) -> Result<ObjectClient, FetchError> {
        ObjectClient::new(&self.0.settings, self.0.user_agent.clone())
    }

    /// Returns the cap on a page's body.
    pub fn page_max_body_bytes(&self) -> usize {
        usize::try_from(self.0.settings.page_max_body_bytes).unwrap_or(usize::MAX)
    }

    /// Returns how long one request may take.
    pub fn timeout(&self, options: &RequestOptions) -> Duration {
        options.timeout.unwrap_or(self.0.settings.timeout)
    }

    /// Returns a client with other settings that keeps the pauses that hosts have asked for.
    pub fn reconfigured(&self, settings: Settings) -> Result<Self, FetchError> {
        let hosts = self.0.hosts.succeeded(settings.host_concurrency);
        Self::build(settings, self.0.clock.clone(), hosts, (self.0.memory.clone(), self.0.shards.clone()))
    }

    fn build(
        settings: Settings,
        clock: Clock,
        hosts: Hosts,
        (memory, shards): (Memory, Shards),
    ) -> Result<Self, FetchError> {
        let names = Names::new(&settings.name_servers)?;
        let guard = Arc::new(Guard::new(settings.allow.clone(), names));
        Ok(Self(Arc::new(Inner {
            user_agent: user_agent(settings.contact_url.as_ref())?,
            clients: Clients::new(&settings, Arc::clone(&guard))?,
            hosts,
            robots: robots::Cache::default(),
            guard,
            clock,
            memory,
            shards,
            settings,
        })))
    }

    /// Sends one guarded, capped, polite GET. Waits for the host's turn.
    pub async fn fetch(&self, request: &Request<'_>) -> Result<Response, FetchError> {
        let settings = &self.0.settings;
        let obey_by_default = match request.purpose {
            Purpose::Feed => settings.feeds_obey_robots,
            Purpose::Page => settings.pages_obey_robots,
            Purpose::Hub | Purpose::Webhook => false,
        };
        let (start, auth) = split_credentials(request.url, request.options.auth.as_ref());
        let plan = Plan {
            start,
            wanted: Wanted::For(request.purpose),
            validators: request.validators,
            options: request.options,
            auth,
            obey_robots: request.options.obey_robots.unwrap_or(obey_by_default),
            posted: None,
        };
        self.answer(&plan, request.purpose).await
    }

    /// Runs the request and records its outcome in the metrics.
    pub(super) async fn answer(&self, plan: &Plan<'_>, purpose: Purpose) -> Result<Response, FetchError> {
        let mut budget = self.budget(plan);
        let answer = if purpose == Purpose::Webhook {
            self.get(plan, &mut budget).await
        } else {
            tokio::select! {
                answer = self.get(plan, &mut budget) => answer,
                // From now on another process may request these hosts.
                () = self.0.shards.lapsed() => Err(FetchError::HostElsewhere { wait: LAPSE }),
            }
        };
        match &answer {
            Ok(response) => {
                let body_bytes = match &response.content {
                    Content::NotModified => None,
                    Content::Body(body) => Some(body.len() as u64),
                };
                metrics::fetch_answered(purpose, body_bytes, budget.spent);
            }
            Err(error) => metrics::fetch_failed(purpose, error.kind()),
        }
        answer
    }

    fn budget(&self, plan: &Plan<'_>) -> Budget {
        Budget { total: self.timeout(plan.options), spent: Duration::ZERO }
    }

    /// Returns when to come back with a request for `url` if it would wait longer than `patience` for its host's turn; each
    /// caller gets a different time. Calling this before a worker is assigned to the request keeps a slow or busy host from
    /// holding up all workers.
    pub fn defer(&self, url: &Url, patience: Duration) -> Option<Duration> {
        self.0.hosts.defer(url, self.0.settings.host_min_gap, patience)
    }

    async fn get(&self, plan: &Plan<'_>, budget: &mut Budget) -> Result<Response, FetchError> {
        let settings = &self.0.settings;
        let query: &[_] = match plan.wanted {
            Wanted::For(Purpose::Feed) => &plan.options.query,
            Wanted::For(Purpose::Page | Purpose::Hub | Purpose::Webhook) | Wanted::Robots => &[],
        };
        let mut chain = Chain::new(plan.start.clone(), query);
        let mut turn: Option<Turn> = None;
        let share = Arc::new(self.0.memory.share());
        loop {
            let url = &chain.url;
            // A redirect within the host keeps the turn. A turn at another host is released before the next is awaited:
            // otherwise two requests could deadlock on each other's hosts.
            let held = turn.take().filter(|turn| turn.is_at(url));
            self.check(plan, url).await?;
            self.check_pause(url)?;
            let crawl_delay =
                if plan.obey_robots { self.ask_robots(plan, url).await? } else { Duration::ZERO };
            let held = if let Some(held) = held {
                held
            } else {
                let pass = self.pass(plan, url).await?;
                self.0.hosts.turn(url, self.gap(plan).max(crawl_delay), pass).await
            };
            // A pause may have begun during the wait for the turn.
            self.check_pause(url)?;
            chain.note_visit();
            let response = {
                let _asking = held.ask();
                budget.spend(&share, self.send(plan, &chain)).await?
            };
            turn = Some(held);
            let status = response.status().as_u16();
            chain.cookies.note(response.headers(), &chain.url);
            // A POST follows only these two, which keep its method and body.
            let is_answer = plan.posted.is_some() && !matches!(status, 307 | 308);
            if let Some(next) = location(&response, &chain.url)?.filter(|_| !is_answer) {
                chain.follow(next, status, settings.max_redirects)?;
                continue;
            }
            let refresh = response.headers().get(REFRESH).cloned();
            let answer = budget.spend(&share, self.receive(plan, response, &chain, &share)).await?;
            match onward(plan, &answer, refresh.as_ref()).filter(|next| !chain.leads_back_to(next)) {
                Some(next) => chain.follow(next, status, settings.max_redirects)?,
                None => return Ok(answer),
            }
        }
    }

    /// Checks that a request may go to `url` at all. Names are resolved and checked only once, when connecting; names requested
    /// through a proxy are checked here, unless the proxy guards addresses itself.
    async fn check(&self, plan: &Plan<'_>, url: &Url) -> Result<(), FetchError> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(FetchError::BadUrl("the scheme is neither http nor https"));
        }
        self.0.guard.check(url)?;
        if self.proxy(plan).is_some() && !self.0.settings.proxy_guards_addresses {
            self.0.guard.check_name(url).await?;
        }
        Ok(())
    }

    /// Acquires the right to request the host at all. Webhooks need none: every process may call them.
    async fn pass(&self, plan: &Plan<'_>, url: &Url) -> Result<Option<Pass>, FetchError> {
        if plan.wanted == Wanted::For(Purpose::Webhook) {
            return Ok(None);
        }
        match self.0.shards.enter(url).await {
            Ok(pass) => Ok(Some(pass)),
            Err(Elsewhere { wait }) => Err(FetchError::HostElsewhere { wait }),
        }
    }

    /// Returns the minimum time between two requests to a host. Webhooks need none.
    fn gap(&self, plan: &Plan<'_>) -> Duration {
        match plan.wanted {
            Wanted::For(Purpose::Webhook) => Duration::ZERO,
            Wanted::For(Purpose::Feed | Purpose::Page | Purpose::Hub) | Wanted::Robots => {
                self.0.settings.host_min_gap
            }
        }
    }

    fn proxy<'a>(&'a self, plan: &'a Plan<'_>) -> Option<&'a Url> {
        plan.options.proxy.as_ref().or(self.0.settings.proxy.as_ref())
    }

    /// Returns the crawl delay that the site asks for; fails if its robots.txt disallows `url`.
    async fn ask_robots(&self, plan: &Plan<'_>, url: &Url) -> Result<Duration, FetchError> {
        let at_home = url.origin() == plan.start.origin();
        let options = plan.options.for_target(&plan.start, url);
        let robots = Plan {
            start: url.join("/robots.txt").map_err(|_| FetchError::BadUrl("it cannot be a base URL"))?,
            wanted: Wanted::Robots,
            validators: &Validators::default(),
            options: &options,
            auth: plan.auth.clone().filter(|_| at_home),
            obey_robots: false,
            posted: None,
        };
        let file = async {
            // Boxed, since the call is recursive.
            match Box::pin(self.get(&robots, &mut self.budget(&robots))).await?.content {
                Content::Body(file) => Ok(file),
                Content::NotModified => Ok(Vec::new()),
            }
        };
        let user_agent = plan.options.user_agent.as_deref().unwrap_or(PRODUCT);
        let product = robots::product_token(user_agent);
        let rules = self.0.robots.rules(url, product, self.0.clock.now(), file).await?;
        if rules.allow(url) { Ok(rules.crawl_delay) } else { Err(FetchError::RobotsDisallowed) }
    }

    /// Sends one request and reads the head of its response.
    async fn send(&self, plan: &Plan<'_>, chain: &Chain<'_>) -> Result<reqwest::Response, FetchError> {
        let url = &chain.url;
        let proxy = self.proxy(plan);
        let port = self.0.guard.port_with_rule(url).filter(|_| proxy.is_none());
        let client = self.0.clients.get(&ClientKey { proxy: proxy.cloned(), port })?;
        let mut request = match plan.posted {
            Some(Posted { content_type, body }) => {
                client.post(chain.request_url()).header(CONTENT_TYPE, content_type).body(body.to_vec())
            }
            None => client.get(chain.request_url()),
        }
        .headers(self.headers(plan, chain)?);
        if let Some(auth) = plan.auth.as_ref().filter(|_| url.origin() == plan.start.origin()) {
            request = match auth {
                Auth::Basic { username, password } => {
                    request.basic_auth(username, Some(password.expose_secret()))
                }
                Auth::Bearer(token) => request.bearer_auth(token.expose_secret()),
            };
        }
        let response = request.send().await.map_err(FetchError::from_reqwest)?;
        let header_bytes: usize =
            response.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        if header_bytes > MAX_HEADER_BYTES as usize {
            return Err(FetchError::HeadersTooLarge);
        }
        Ok(response)
    }

    fn headers(&self, plan: &Plan<'_>, chain: &Chain<'_>) -> Result<HeaderMap, FetchError> {
        let url = &chain.url;
        let mut headers = HeaderMap::new();
        let user_agent = match &plan.options.user_agent {
            Some(text) => header_value("the user agent", text)?,
            None => self.0.user_agent.clone(),
        };
        headers.insert(USER_AGENT, user_agent);
        headers.insert(ACCEPT, HeaderValue::from_static(plan.wanted.accept()));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(encoding::ACCEPTED));
        let Validators { etag, last_modified } = plan.validators;
        let last_modified = last_modified
            .as_ref()
            .filter(|date| !freshness::is_ahead(date, self.0.clock.now() + CLOCK_TOLERANCE));
        for (name, value) in [(IF_NONE_MATCH, etag.as_ref()), (IF_MODIFIED_SINCE, last_modified)] {
            if let Some(value) = value {
                headers.insert(name, header_value("a validator", value)?);
            }
        }
        if let Some(cookies) = chain.cookies.header(url) {
            headers.insert(COOKIE, cookies);
        }
        if url.origin() == plan.start.origin() {
            for (name, value) in &plan.options.headers {
                let bad_name = |_| FetchError::BadOption(format!("{name:?} is not a valid header name"));
                let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(bad_name)?;
                let mut value = header_value(name, value.expose_secret())?;
                value.set_sensitive(true);
                headers.insert(parsed, value);
            }
        }
        Ok(headers)
    }

    /// Reads a response that is not a redirect to follow: its body and headers, or the failure that it means.
    async fn receive(
        &self,
        plan: &Plan<'_>,
        mut response: reqwest::Response,
        chain: &Chain<'_>,
        held: &Arc<Share>,
    ) -> Result<Response, FetchError> {
        let status = response.status().as_u16();
        let conditional = *plan.validators != Validators::default();
        let headers = response.headers();
        let now = self.0.clock.now();
        let mut freshness = freshness::read(headers, now);
        let validators = validators(headers, now);
        // A 304 confirms the validators that were sent.
        freshness.lacks_validators = status != 304 && validators == Validators::default();
        let date = freshness::date(headers);
        let content_type = readable(headers, &CONTENT_TYPE, MAX_VALUE_BYTES);
        let links = links::read(headers, &chain.url);
        let mut oddities = Vec::new();
        let is_page = plan.wanted == Wanted::For(Purpose::Page);
        if let Some(impostor) = by_headers(headers).filter(|_| is_page) {
            return Err(FetchError::Impostor(impostor));
        }
        // Some bot checks are sent with a 202: their bodies must be examined.
        let is_body = matches!(status, 200 | 203) || (status == 202 && is_page);
        let kept_headers = if is_page { headers.clone() } else { HeaderMap::new() };
        let content = match status {
            200..=299 if plan.posted.is_some() => Content::Body(Vec::new()),
            _ if is_body => {
                let (named, length) = (content_type.as_deref(), response.content_length());
                if is_page && media::is_surely_other(named.unwrap_or_default()) {
                    return Err(media::not_text(named, length));
                }
                let limit_bytes = plan.wanted.max_body_bytes(&self.0.settings);
                let cap = usize::try_from(limit_bytes).unwrap_or(usize::MAX);
                let body = body::read(&mut response, cap, held).await?;
                // A truncated feed or page is a failure; a truncated robots.txt is used.
                if body.truncated && plan.wanted != Wanted::Robots {
                    return Err(FetchError::BodyTooLarge { limit_bytes });
                }
                if is_page && media::kind(&body.bytes, named) == media::Kind::Other {
                    return Err(media::not_text(named, length));
                }
                oddities = body.oddities;
                freshness.body_bytes = body.sent_bytes as u64;
                Content::Body(body.bytes)
            }
            304 if conditional => Content::NotModified,
            _ => {
                if let (429 | 503, Some(asked)) = (status, freshness.retry_after) {
                    self.pause_host(&chain.url, asked);
                }
                let may_be_check = is_page && REFUSALS.contains(&status);
                let check = if may_be_check { refused_by(&mut response, held).await } else { None };
                let astray = chain.hops.iter().any(|hop| !hop.is_permanent());
                return Err(
                    check.map_or(FetchError::Status { status, freshness, astray }, FetchError::Impostor)
                );
            }
        };
        Ok(Response {
            final_url: chain.url.clone(),
            hops: chain.hops.clone(),
            validators,
            freshness,
            date,
            content_type,
            headers: kept_headers,
            links,
            oddities,
            content,
            held: Arc::clone(held),
        })
    }
}

/// Returns which bot check or wall the beginning of a refusal's body shows, if any.
async fn refused_by(response: &mut reqwest::Response, held: &Share) -> Option<Impostor> {
    let content_type = readable(response.headers(), &CONTENT_TYPE, MAX_VALUE_BYTES);
    let body = body::read(response, REFUSAL_BYTES, held).await.ok()?;
    match page_body(&body.bytes, content_type.as_deref()) {
        PageBody::Html(html) => impostor::by_refusal(&html),
        PageBody::Fragment(_) | PageBody::Text(_) => None,
    }
}

/// Returns where the response redirects by a `Refresh` header or meta refresh, although its status is not a redirect.
fn onward(plan: &Plan<'_>, answer: &Response, refresh: Option<&HeaderValue>) -> Option<Url> {
    match (&answer.content, plan.wanted) {
        (Content::Body(body), Wanted::For(Purpose::Feed | Purpose::Page)) if plan.posted.is_none() => {
            refresh::target(refresh, body, &answer.final_url)
        }
        _ => None,
    }
}
