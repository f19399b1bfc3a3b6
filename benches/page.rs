//! The latency of the operator's pages on a large store: `cargo bench --bench page -- ARTICLES FEEDS`. PostgreSQL is measured as
//! well if `FEEDMILL_TEST_POSTGRES_URL` names a server; `sqlite` or `postgres` after the numbers selects one back end.
//!
//! `keep` leaves the store and prints its location; its URL after the numbers measures it again.
//!
//! The daemon stores one article; the database then copies its rows with different keys, hosts, times and words, one article per
//! feed and day. Texts are short: a headline and three sentences. Indexes that are not constraints are created when their tables
//! are full, which is faster and leaves them denser than if they had grown. Printed are the median and the worst of the requests
//! for each page, over HTTP. It is one file because what is copied determines what can be requested.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a program for the person before it")]

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use feedmill::clock::Clock;
use feedmill::config::{Config, Environment};
use feedmill::daemon::Daemon;
use feedmill::lifecycle::Lifecycle;
use feedmill::telemetry::metrics::Metrics;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Executor as _, Row as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

const ARTICLES: i64 = 100_000;
const FEEDS: i64 = 1_000;
/// Rows copied by one statement.
const AT_ONCE: i64 = 500_000;
/// Requests for each page, after one that is not counted.
const REQUESTS: i64 = 15;
/// The maximum time for a page.
const BAR: Duration = Duration::from_millis(200);

const DAY_MILLIS: i64 = 86_400_000;
/// The number of the first copy, after that of the original article.
const FIRST: i64 = 1_000;
/// Minimum articles per partition.
const LEAST: i64 = 500_000;
/// Texts per host that are known as furniture.
const BLOCKS: i64 = 10;

/// Tables with a row for each article.
const LARGE: [&str; 8] = [
    "articles",
    "article_accounts",
    "revisions",
    "entries",
    "entry_details",
    "mentions",
    "outbox",
    "article_words",
];

/// A store to measure.
struct Bench {
    connection: AnyConnection,
    is_sqlite: bool,
    articles: i64,
    feeds: i64,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut numbers = arguments.iter().filter_map(|argument| argument.parse().ok());
    let (articles, feeds) = (numbers.next().unwrap_or(ARTICLES), numbers.next().unwrap_or(FEEDS));
    let is_given = |word: &str| arguments.iter().any(|argument| argument == word);
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        println!("a TLS provider was installed before");
    }
    sqlx::any::install_default_drivers();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut folder = tempfile::tempdir().unwrap();
        if let Some(url) = arguments.iter().find(|argument| argument.contains(':')) {
            return measure(folder.path(), url, articles, feeds).await;
        }
        let keeps = is_given("keep");
        folder.disable_cleanup(keeps);
        if !is_given("postgres") {
            let file = format!("sqlite:{}", folder.path().join("feedmill.db").display());
            make(folder.path(), &file, articles, feeds).await;
            measure(folder.path(), &file, articles, feeds).await;
        }
        if let (Ok(server), false) = (std::env::var("FEEDMILL_TEST_POSTGRES_URL"), is_given("sqlite")) {
            let name = format!("feedmill_bench_{}", std::process::id());
            let mut admin = AnyConnection::connect(&server).await.unwrap();
            admin.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
            let mut url: url::Url = server.parse().unwrap();
            url.set_path(&name);
            make(folder.path(), url.as_str(), articles, feeds).await;
            measure(folder.path(), url.as_str(), articles, feeds).await;
            if !keeps {
                admin.execute(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).await.unwrap();
            }
        }
    });
}

/// Creates the store.
async fn make(folder: &Path, database: &str, articles: i64, feeds: i64) {
    let began = Instant::now();
    let template = serve_template().await;
    let config = |listed: i64| configuration(folder, database, &template, listed);
    let daemon = Daemon::open(config(0), Clock::system()).await.unwrap();
    daemon.once(&CancellationToken::new()).await.unwrap();
    daemon.store().close().await;
    drop(daemon);
    let daemon = Daemon::open(config(feeds), Clock::system()).await.unwrap();
    daemon.store().close().await;
    drop(daemon);

    let is_sqlite = database.starts_with("sqlite:");
    let connection = AnyConnection::connect(database).await.unwrap();
    let mut bench = Bench { connection, is_sqlite, articles, feeds };
    bench.fill().await;
    bench.connection.close().await.unwrap();
    println!("\n{database}, made in {:.0} s", began.elapsed().as_secs_f64());
}

/// Requests each page and prints the times.
async fn measure(folder: &Path, database: &str, articles: i64, feeds: i64) {
    println!("{articles} articles of {feeds} feeds");
    let config = configuration(folder, database, "http://127.0.0.1:9/feed.xml", feeds);
    let daemon = Arc::new(Daemon::open(config, Clock::system()).await.unwrap());
    let lifecycle = Lifecycle::new(Duration::from_secs(20));
    let addresses = Arc::clone(&daemon).start(&lifecycle, Metrics::install()).await.unwrap();
    let address = addresses.http.unwrap();
    println!("{:<44} {:>10} {:>10}", "page", "median", "worst");
    for (name, path) in PAGES {
        let mut took = Vec::new();
        for number in 0..=REQUESTS {
            let path = path(Asked { articles, feeds, number });
            let began = Instant::now();
            let status = get(address, &path).await;
            took.push(began.elapsed());
            assert_eq!(status, 200, "{path}");
        }
        took.remove(0);
        took.sort_unstable();
        let (median, worst) = (took[took.len() / 2], took[took.len() - 1]);
        let mark = if worst > BAR { "  over the bar" } else { "" };
        println!("{name:<44} {:>7.1} ms {:>7.1} ms{mark}", millis(median), millis(worst));
    }
    lifecycle.stop_soft();
    lifecycle.wait().await;
    daemon.store().close().await;
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// The parameters of a request.
#[derive(Clone, Copy)]
struct Asked {
    articles: i64,
    feeds: i64,
    /// The number of this request among those for its page.
    number: i64,
}

impl Asked {
    /// Returns an article anywhere in the store.
    fn article(self) -> i64 {
        FIRST + (self.number * 7_919 * 1_301) % self.articles
    }

    fn feed(self) -> i64 {
        (self.number * 7_919) % self.feeds
    }
}

type Page = (&'static str, fn(Asked) -> String);

const PAGES: &[Page] = &[
    ("overview", |_| "/".to_owned()),
    ("feeds", |_| "/feeds".to_owned()),
    ("feeds, by next poll", |_| "/feeds?sort=next_poll".to_owned()),
    ("feeds, by age", |_| "/feeds?sort=newest".to_owned()),
    ("feeds, the last page", |_| "/feeds?last=true".to_owned()),
    ("feeds, behind any of them", |asked| format!("/feeds?after={}-0", 2 + asked.feed())),
    ("feeds, the last page by next poll", |_| "/feeds?sort=next_poll&last=true".to_owned()),
    ("feeds, the last page of those that succeed", |_| "/feeds?health=succeeding&last=true".to_owned()),
    ("feeds, failing", |_| "/feeds?health=failing".to_owned()),
    ("feeds, looked for", |asked| format!("/feeds?q=h{}.example", asked.feed())),
    ("feeds, looked for by what all hold", |_| "/feeds?q=example".to_owned()),
    ("feeds, looked for in vain", |asked| format!("/feeds?q=zeppelin{}", asked.number)),
    ("a feed", |asked| format!("/feeds/{}", 2 + asked.feed())),
    ("an article", |asked| format!("/articles/{}", hex_id(asked.article()))),
    ("sites", |_| "/sites".to_owned()),
    ("sites, looked for", |asked| format!("/sites?q=h{}.ex", asked.feed())),
    ("a site", |asked| format!("/sites/h{}.example", asked.feed())),
    ("search, a word of every text", |_| "/search?q=harbour".to_owned()),
    ("search, a word of one text in 1,000", |asked| format!("/search?q=wharf{}", asked.number)),
    ("search, a word of one text", |asked| format!("/search?q=berth{}", asked.article())),
    ("search, both of two common words", |asked| format!("/search?q=harbour+wharf{}", asked.number)),
    ("search, a beginning", |asked| format!("/search?q=wharf{}*", asked.number % 10)),
    ("search, words in a row", |asked| format!("/search?q=%22harbour+report%22+wharf{}", asked.number)),
    ("search, all but a common word", |_| "/search?q=harbour+-wharf7".to_owned()),
    ("search, a word of no text", |asked| format!("/search?q=zeppelin{}", asked.number)),
    ("search, two common words of no one text", |_| "/search?q=ebb+flood".to_owned()),
    ("search, common words of no text in a row", |_| "/search?q=%22report+harbour%22".to_owned()),
    ("search, a letter and a word of one text", |asked| format!("/search?q=b*+berth{}", asked.article())),
    ("search, a letter that all have", |_| "/search?q=w*".to_owned()),
    ("search, a beginning in vain", |asked| format!("/search?q=zeppelin{}*", asked.number)),
    ("search, words of old texts alone", |_| "/search?q=flood+jetty".to_owned()),
    ("API: records after a cursor", |asked| format!("/v1/articles?after={}&limit=100", asked.article())),
    ("API: an article", |asked| format!("/v1/articles/{}", hex_id(asked.article()))),
    ("metrics", |_| "/metrics".to_owned()),
];

fn hex_id(number: i64) -> String {
    format!("{number:032}").bytes().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    })
}

impl Bench {
    /// Makes copies of the one existing article.
    async fn fill(&mut self) {
        let now = Clock::system().now().as_millisecond();
        if self.is_sqlite {
            for pragma in ["synchronous = OFF", "cache_size = -1000000", "foreign_keys = OFF", "threads = 2"]
            {
                self.run(&format!("PRAGMA {pragma}")).await;
            }
        } else {
            self.run("SET maintenance_work_mem = '1GB'").await;
            self.run("SET session_replication_role = replica").await;
            self.run("SET synchronous_commit = off").await;
        }
        let template = self.number("SELECT min(id) FROM feeds").await;
        self.fill_feeds(template, now).await;
        let step = DAY_MILLIS / self.feeds;
        let last = FIRST + self.articles - 1;
        if !self.is_sqlite {
            self.make_partitions(last).await;
        }
        let indexes = self.drop_indexes().await;
        let mut from = FIRST;
        while from <= last {
            let to = (from + AT_ONCE - 1).min(last);
            self.fill_articles(from, to, &format!("{now} - ({last} - i) * {step}")).await;
            from = to + 1;
        }
        for index in &indexes {
            self.run(index).await;
        }
        self.run(
            "INSERT INTO entry_errors (entry_id, label, reason, failed_at) \
             SELECT id, 'http_client', 'it answers 404 Not Found', next_attempt_at FROM entries WHERE state = 'failed'",
        )
        .await;
        self.run(&format!("UPDATE counters SET value = {last} WHERE name = 'outbox'")).await;
        self.run("UPDATE counters SET value = 0 WHERE name = 'search_backlog'").await;
        self.run(if self.is_sqlite { "ANALYZE" } else { "VACUUM ANALYZE" }).await;
    }

    /// Creates the PostgreSQL partitions in which articles up to number `last` would have been stored, each for about a month.
    async fn make_partitions(&mut self, last: i64) {
        let ranges = "SELECT max(split_part(relname, '_', 3)::bigint) FROM pg_inherits JOIN pg_class ON oid = inhrelid \
            WHERE inhparent = 'revisions'::regclass";
        let mut past = self.number(ranges).await;
        while past <= last + LEAST / 2 {
            let next = past + past.clamp(LEAST, (30 * self.feeds).max(LEAST));
            for table in ["revisions", "article_words"] {
                self.run(&format!(
                    "CREATE TABLE {table}_{past}_{next} PARTITION OF {table} FOR VALUES FROM ({past}) TO ({next})"
                ))
                .await;
            }
            past = next;
        }
    }

    /// Drops the indexes of the large tables that are not constraints, and returns the statements that create them.
    async fn drop_indexes(&mut self) -> Vec<String> {
        let tables = LARGE.map(|table| format!("'{table}'")).join(", ");
        let sql = if self.is_sqlite {
            format!(
                "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name IN ({tables})"
            )
        } else {
            format!(
                "SELECT indexname::text, indexdef FROM pg_indexes WHERE tablename IN ({tables}) \
                 AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conname = indexname)"
            )
        };
        let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut self.connection).await.unwrap();
        let mut made = Vec::new();
        for row in rows {
            let (name, sql): (String, String) = (row.get(0), row.get(1));
            self.run(&format!("DROP INDEX {name}")).await;
            // Indexes of partitions are dropped and created with those of the whole table.
            made.push(sql.replacen(" ON ONLY ", " ON ", 1));
        }
        made
    }

    /// Sets the state of the feeds: all but the template have been polled, some unsuccessfully; the next polls are in the future.
    async fn fill_feeds(&mut self, template: i64, now: i64) {
        let others = format!("id <> {template}");
        self.run(&format!("UPDATE feeds SET next_poll_at = {now} + 3600000 + id * 100")).await;
        self.run(&format!(
            "UPDATE feed_details SET history = (SELECT history FROM feed_details WHERE feed_id = {template}), \
             last_polled_at = {now} - feed_id * 10, last_success_at = {now} - feed_id * 10, \
             error_label = CASE WHEN feed_id % 20 = 0 THEN 'connect' END, \
             error_reason = CASE WHEN feed_id % 20 = 0 THEN 'cannot connect: connection refused' END \
             WHERE feed_{others}"
        ))
        .await;
        let titles = ("title", "'The gazette of h' || f.id || '.example'");
        self.copy(
            "feed_infos",
            &format!("feeds f WHERE f.{others}"),
            template,
            &[("feed_id", "f.id"), titles],
        )
        .await;
        self.copy("feed_polls", &format!("feeds f WHERE f.{others}"), template, &[("feed_id", "f.id")]).await;
        let hosts = self.numbers(0, self.feeds - 1);
        self.run(&format!(
            "INSERT INTO hosts (host, articles) SELECT 'h' || i || '.example', 100 FROM {hosts} WHERE true \
             ON CONFLICT DO NOTHING"
        ))
        .await;
        let blocks = self.numbers(0, self.feeds * BLOCKS - 1);
        self.run(&format!(
            "INSERT INTO host_blocks (host, block, articles, last_seen, excerpt) \
             SELECT 'h' || (i / {BLOCKS}) || '.example', i, 3 + i % 40, {now}, 'Sign up for our newsletter ' || i FROM {blocks}"
        ))
        .await;
    }

    async fn fill_articles(&mut self, from: i64, to: i64, stored_at: &str) {
        let numbers = self.numbers(from, to);
        let id = self.id();
        let host = format!("'h' || (i % {}) || '.example'", self.feeds);
        let url = format!("'https://' || {host} || '/' || i");
        let feed = format!("2 + i % {}", self.feeds);
        let words = format!(
            "'harbour report number ' || i || ' the council measured the tide at wharf' || (i % 1000) || ' and berth' || i \
             || CASE WHEN i % 2 = 0 THEN ' ebb' ELSE ' flood' END || CASE WHEN i < {} THEN ' jetty' ELSE '' END",
            FIRST + self.articles / 4
        );
        let text = format!(
            "{words} || '. The harbour master said that the northern breakwater would be repaired before the winter, and \
             that the ferry company had been told. Nobody in town remembered a tide as low as that of this morning.'"
        );
        let state = "CASE WHEN i % 100 < 2 THEN 'failed' WHEN i % 1000 = 500 THEN 'pending' ELSE 'done' END";
        let due = format!("{stored_at} + CASE WHEN i % 1000 = 500 THEN 400000000 ELSE 0 END");
        let (id, host, url, feed) = (id.as_str(), host.as_str(), url.as_str(), feed.as_str());
        let (text, due) = (text.as_str(), due.as_str());
        for (table, other) in [
            (
                "articles",
                &[
                    ("id", id),
                    ("number", "i"),
                    ("content_sha256", id),
                    ("url", url),
                    ("original_url", url),
                    ("hostname", host),
                    ("cluster_id", id),
                    ("stored_at", stored_at),
                    ("feed_id", feed),
                ][..],
            ),
            ("article_accounts", &[("article_id", id)][..]),
            (
                "revisions",
                &[
                    ("article_id", id),
                    ("content_sha256", id),
                    ("title", "'Harbour report number ' || i"),
                    ("text", text),
                    ("fetched_at", stored_at),
                    ("number", "i"),
                ][..],
            ),
            (
                "entries",
                &[
                    ("id", "i"),
                    ("feed_id", feed),
                    ("key_sha256", id),
                    ("article_id", id),
                    ("state", state),
                    ("next_attempt_at", due),
                ][..],
            ),
            ("entry_details", &[("entry_id", "i"), ("url", url), ("first_seen_at", stored_at)][..]),
            ("mentions", &[("article_id", id), ("entry_id", "i"), ("first_seen_at", stored_at)][..]),
            ("outbox", &[("seq", "i"), ("article_id", id), ("created_at", stored_at)][..]),
        ] {
            let template = format!("(SELECT * FROM {table} LIMIT 1) t");
            self.copy_of(table, &template, &numbers, other).await;
        }
        let (columns, words) = if self.is_sqlite {
            // In the format of `places_of` in `src/store/found.rs`.
            let places = "char(57344) || (i >> 12) || ' ' || char(57345) || (i >> 17)";
            ("rowid, words, places", format!("{words}, {places}"))
        } else {
            ("rowid, words", format!("to_tsvector('simple', {words})"))
        };
        self.run(&format!("INSERT INTO article_words ({columns}) SELECT i, {words} FROM {numbers}")).await;
    }

    /// Copies the template feed's row for each row of `source`, with other values in some columns.
    async fn copy(&mut self, table: &str, source: &str, template: i64, other: &[(&str, &str)]) {
        let template = format!("(SELECT * FROM {table} WHERE feed_id = {template}) t");
        self.copy_of(table, &template, source, other).await;
    }

    async fn copy_of(&mut self, table: &str, template: &str, source: &str, other: &[(&str, &str)]) {
        let columns = self.columns(table).await;
        let values = columns.iter().map(|column| {
            let own = other.iter().find(|(name, _)| name == column);
            own.map_or_else(|| format!("t.{column}"), |(_, value)| (*value).to_owned())
        });
        let values = values.collect::<Vec<_>>().join(", ");
        self.run(&format!(
            "INSERT INTO {table} ({}) SELECT {values} FROM {template}, {source}",
            columns.join(", ")
        ))
        .await;
    }

    async fn columns(&mut self, table: &str) -> Vec<String> {
        let sql = if self.is_sqlite {
            format!("SELECT name FROM pragma_table_info('{table}')")
        } else {
            format!(
                "SELECT column_name::text FROM information_schema.columns \
                 WHERE table_name = '{table}' AND table_schema = 'public'"
            )
        };
        let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut self.connection).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// SQL for a table of the numbers `i`.
    fn numbers(&self, from: i64, to: i64) -> String {
        if self.is_sqlite {
            format!(
                "(WITH RECURSIVE n (i) AS (SELECT {from} UNION ALL SELECT i + 1 FROM n WHERE i < {to}) SELECT i FROM n) n"
            )
        } else {
            format!("generate_series({from}::bigint, {to}::bigint) AS n (i)")
        }
    }

    /// SQL for the id of article `i`: 32 bytes.
    fn id(&self) -> String {
        if self.is_sqlite {
            "CAST(printf('%032d', i) AS BLOB)".to_owned()
        } else {
            "convert_to(lpad(i::text, 32, '0'), 'UTF8')".to_owned()
        }
    }

    async fn run(&mut self, sql: &str) {
        let done = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut self.connection).await;
        done.unwrap_or_else(|error| panic!("{error}: {sql}"));
    }

    async fn number(&mut self, sql: &str) -> i64 {
        sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&mut self.connection).await.unwrap()
    }
}

fn configuration(folder: &Path, database: &str, template: &str, listed: i64) -> Config {
    let mut list = String::new();
    for number in 0..listed {
        writeln!(list, "https://h{number}.example/feed.xml").unwrap();
    }
    std::fs::write(folder.join("list.txt"), list).unwrap();
    let text = format!(
        "include = [\"list.txt\"]\n[database]\nurl = \"{database}\"\n[http]\nlisten = \"127.0.0.1:0\"\n\
         [fetch]\nallow = [\"127.0.0.0/8\"]\n[schedule]\ninitial_spread_secs = 0\n\
         [[feed]]\nurl = \"{template}\"\ncontent = \"feed\"\n"
    );
    let file = folder.join("feedmill.toml");
    std::fs::write(&file, text).unwrap();
    Config::load(Some(&file), &Environment::default()).unwrap().config
}

/// Serves a feed with one article.
#[expect(clippy::disallowed_methods, reason = "it serves until the program ends")]
async fn serve_template() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/feed.xml", listener.local_addr().unwrap());
    let text = "<p>The harbour master measured the tide before the bells rang.</p>".repeat(5);
    let feed = format!(
        "<rss version=\"2.0\"><channel><title>Gazette</title><item><title>Harbour report</title>\
         <guid>1</guid><description><![CDATA[{text}]]></description></item></channel></rss>"
    );
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{feed}",
        feed.len()
    );
    tokio::spawn(async move {
        loop {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut head = [0; 4096];
            if connection.read(&mut head).await.is_ok()
                && connection.write_all(answer.as_bytes()).await.is_err()
            {
                println!("a client has left");
            }
        }
    });
    url
}

/// Reads an answer to its end and returns its status.
async fn get(address: std::net::SocketAddr, path: &str) -> u16 {
    let mut connection = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer[9..12]).parse().unwrap()
}
