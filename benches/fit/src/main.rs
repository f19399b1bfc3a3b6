//! Fits the model that weighs the blocks of a page, on pages of which people said what their article is.
//!
//! ```text
//! cargo run --release --manifest-path benches/fit/Cargo.toml -- [--write config/model.toml] SET.jsonl.gz...
//! ```
//!
//! A set has a page a line: `{"url", "html", "gold": {"text"?, "with"?, "without"?, "segments"?}}`. A block of a page with
//! a gold text is labelled by whether more than half of its word 4-grams stand in that text; where there are only
//! snippets, the blocks that hold one are labelled.
//!
//! What is printed are scores on sites that the coefficients were not fitted on: the pages are dealt into four folds by
//! site, and each fold is extracted, by the product itself, with what was fitted on the other three. What is written is
//! fitted on all of them.

mod gold;
mod logistic;
mod model;
mod pages;
mod parallel;
mod random;
mod score;
mod trees;

use std::path::PathBuf;

use anyhow::{Context, bail};
use feedmill::extract::Rules;

use pages::LabelledPage;
use score::Score;

fn main() -> anyhow::Result<()> {
    let (mut write, mut sets) = (None, Vec::new());
    let mut arguments = std::env::args_os().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--write" {
            write = Some(PathBuf::from(arguments.next().context("--write needs a file")?));
        } else {
            sets.push(PathBuf::from(argument));
        }
    }
    if sets.is_empty() {
        bail!("usage: fit [--write config/model.toml] SET.jsonl.gz...");
    }
    let rules = Rules::new(&[])?;
    let pages = pages::read(&sets)?;
    let fitted = model::fit(&pages, &rules);
    let by_fold: Vec<Rules> =
        fitted.by_fold.iter().map(|model| rules.clone().with_model(model)).collect::<Result<_, _>>()?;
    for (set, path) in sets.iter().enumerate() {
        let of_set: Vec<&LabelledPage> = pages.iter().filter(|page| page.set == set).collect();
        println!("{}: {}", path.display(), Score::of(&of_set, &by_fold));
    }
    if let Some(path) = write {
        std::fs::write(&path, &fitted.all).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
