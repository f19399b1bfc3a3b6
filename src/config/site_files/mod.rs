//! Converts `FiveFilters` site files (`ftr-site-config`) to site rules, as far as CSS selectors can express them.
//!
//! A file is named after its host and contains one directive per line, most of them an `XPath` expression. Only the small part of
//! `XPath` that is used there to name elements is supported; everything else becomes a remark with its line, never a guess.

mod xpath;

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::problem::{Place, Problem};
use crate::extract::SiteRules;

/// Maximum number of bytes read from a file; the rest is ignored.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// The contents of a folder of site files.
#[derive(Debug, Default)]
pub(super) struct SiteFiles {
    /// The rules, one item per site.
    pub(super) sites: Vec<SiteRules>,
    /// Remarks on lines that could not be interpreted.
    pub(super) remarks: Vec<Problem>,
    folder: PathBuf,
}

/// Directives that do not select page elements: cleaning, tests, and what feedmill does anyway.
const NOT_ABOUT_PLACES: &[&str] = &[
    "autodetect_on_failure",
    "convert_double_br_tags",
    "insert_detected_image",
    "native_ad_clue",
    "parser",
    "prune",
    "skip_json_ld",
    "src_lazy_load_attr",
    "strip_comments",
    "test_contains",
    "test_url",
    "tidy",
];

impl SiteFiles {
    /// Reads the files of a folder, in order of their names.
    pub(super) fn read(folder: &Path) -> io::Result<Self> {
        let mut files: Vec<PathBuf> =
            fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
        files.sort_unstable();
        let mut all = Self { folder: folder.to_owned(), ..Self::default() };
        for file in files {
            if let Some(host) = host_of(&file) {
                all.add_file(&file, host);
            }
        }
        Ok(all)
    }

    /// Returns a warning if lines were skipped.
    pub(super) fn warning(&self) -> Option<Problem> {
        let count = self.remarks.len();
        let message = format!("{count} lines of site files are not understood and were skipped");
        let hint = "`feedmill config site-files` lists them".to_owned();
        let warning = Problem { hint: Some(hint), ..Problem::at(Place::file(&self.folder), message) };
        (count > 0).then_some(warning)
    }

    fn add_file(&mut self, path: &Path, host: String) {
        let mut text = Vec::new();
        if let Err(error) = File::open(path).and_then(|file| file.take(MAX_FILE_BYTES).read_to_end(&mut text))
        {
            self.remarks.push(Problem::at(Place::file(path), format!("cannot be read: {error}")));
            return;
        }
        let mut site = SiteRules { host, ..SiteRules::default() };
        for (i, line) in String::from_utf8_lossy(&text).lines().enumerate() {
            if let Err(message) = take(&mut site, line.trim()) {
                self.remarks.push(Problem::at(Place::line(path, i + 1), message));
            }
        }
        if (SiteRules { host: site.host.clone(), ..SiteRules::default() }) != site {
            self.sites.push(site);
        }
    }
}

/// Returns the host of `news.example.txt` or `.news.example.txt`. Only the latter covers subdomains in `FiveFilters`; here both do.
fn host_of(path: &Path) -> Option<String> {
    let host = path.file_name()?.to_str()?.strip_suffix(".txt")?.trim_start_matches('.');
    let is_host =
        host.contains('.') && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'));
    is_host.then(|| host.strip_prefix("www.").unwrap_or(host).to_ascii_lowercase())
}

/// Adds a line's directive to the rules. The error says why the line is skipped.
fn take(site: &mut SiteRules, line: &str) -> Result<(), String> {
    if line.is_empty() || line.starts_with('#') {
        return Ok(());
    }
    let Some((key, value)) = line.split_once(':') else { return Err("not a directive".to_owned()) };
    let (key, value) = (key.trim(), value.trim());
    let selectors = match key {
        "title" | "body" | "author" | "date" | "strip" => xpath::selectors(value)?,
        "strip_id_or_class" => {
            let word = xpath::quoted(value.trim_matches(['"', '\'']));
            vec![format!("[id*={word}]"), format!("[class*={word}]")]
        }
        "strip_image_src" => vec![format!("img[src*={}]", xpath::quoted(value.trim_matches(['"', '\''])))],
        key if NOT_ABOUT_PLACES.contains(&key) => return Ok(()),
        key => return Err(format!("{key} is not supported")),
    };
    let list = match key {
        "title" => &mut site.title,
        "body" => &mut site.body,
        "author" => &mut site.author,
        "date" => &mut site.date,
        _ => &mut site.drop,
    };
    for selector in selectors {
        let alone =
            SiteRules { host: site.host.clone(), drop: vec![selector.clone()], ..SiteRules::default() };
        alone.check().map_err(|error| error.message)?;
        list.push(selector);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_site_files_becomes_rules() {
        let dir = tempfile::tempdir().unwrap();
        let file = "# The Harbour Gazette\ntitle: //h1[@class='headline']\nbody: //div[@id=\"story\"] | //article\n\
                    strip: //div[contains(@class, 'promo')]\nstrip_id_or_class: share\nprune: no\n\
                    author: substring-after(//p, 'By ')\nnext_page_link: //a[@rel='next']\ntest_url: https://x.example/1\n";
        fs::write(dir.path().join(".www.Gazette.example.txt"), file).unwrap();
        fs::write(dir.path().join("LICENSE.txt"), "no rules: at all").unwrap();
        fs::write(dir.path().join("tests.example.txt"), "test_url: https://x.example/1\n").unwrap();
        let SiteFiles { sites, remarks, .. } = SiteFiles::read(dir.path()).unwrap();
        assert_eq!(
            sites,
            [SiteRules {
                host: "gazette.example".to_owned(),
                title: vec!["h1[class=\"headline\"]".to_owned()],
                body: vec!["div[id=\"story\"]".to_owned(), "article".to_owned()],
                drop: ["div[class*=\"promo\"]", "[id*=\"share\"]", "[class*=\"share\"]"]
                    .map(str::to_owned)
                    .to_vec(),
                ..SiteRules::default()
            }]
        );
        let said: Vec<String> = remarks.iter().map(ToString::to_string).collect();
        assert!(said[0].contains(":7: ") && said[0].contains("substring-after"), "{said:?}");
        assert!(said[1].ends_with(":8: next_page_link is not supported"), "{said:?}");
        assert_eq!(said.len(), 2);
    }
}
