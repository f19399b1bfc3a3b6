//! A large store, made of copies of one article.

use feedmill::clock::Clock;
use sqlx::{AnyConnection, AssertSqlSafe, Row as _};

use crate::news;

/// Rows copied by one statement.
const AT_ONCE: i64 = 500_000;
const DAY_MILLIS: i64 = 86_400_000;
/// The number of the first copy, after that of the original article.
pub(crate) const FIRST: i64 = 1_000;
/// The page of one in so many articles is kept, the first copy's among them.
pub(crate) const KEPT_EVERY: i64 = 500;
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
pub(crate) struct Bench {
    pub(crate) connection: AnyConnection,
    pub(crate) is_sqlite: bool,
    pub(crate) articles: i64,
    pub(crate) feeds: i64,
}

impl Bench {
    /// Makes copies of the one existing article.
    pub(crate) async fn fill(&mut self) {
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
        self.keep_pages().await;
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

    /// Keeps a page of usual size for one in [`KEPT_EVERY`] articles, with the hash that their revisions name.
    async fn keep_pages(&mut self) {
        const PARAGRAPHS: usize = 18;
        let page = news::page(PARAGRAPHS);
        let compressed = zstd::bulk::compress(page.as_bytes(), zstd::DEFAULT_COMPRESSION_LEVEL).unwrap();
        let sql = format!(
            "INSERT INTO raw_pages (article_id, feed_id, raw_sha256, final_url, content_type, fetched_at, body_bytes, body) \
             SELECT a.id, a.feed_id, r.raw_sha256, a.url, 'text/html', a.stored_at, $1, $2 FROM articles a \
             JOIN revisions r ON r.number = a.number AND r.revision = a.revision \
             WHERE a.number % {KEPT_EVERY} = 0 AND a.number >= {FIRST}"
        );
        let bytes = i64::try_from(page.len()).unwrap();
        let insert = sqlx::query(AssertSqlSafe(sql)).bind(bytes).bind(compressed);
        insert.execute(&mut self.connection).await.unwrap();
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
