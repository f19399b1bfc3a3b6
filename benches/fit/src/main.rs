//! Fits the model that weighs the blocks of a page, on pages with human annotations of their articles.
//!
//! ```text
//! cargo run --release --manifest-path benches/fit/Cargo.toml -- [--write config] [--folds DIRECTORY [--judge-only]] [--pages FILE] SET...
//! ```
//!
//! A set is a folder of cases like `tests/pages`, or a file (`.jsonl`, `.jsonl.gz`) with a page per line:
//! `{"id"?, "url", "html", "gold": {"text"?, "with"?, "without"?, "segments"?}}`. A block of a page with a gold text is labelled by
//! whether more than half of its word 4-grams occur in that text; if there are only snippets, the blocks that contain one are
//! labelled.
//!
//! The printed scores are on sites that the coefficients were not fitted on: the pages are divided into three folds by site, and
//! feedmill itself extracts each fold with what was fitted on the others. The written files, `model.toml` and `judge.toml`, are
//! fitted on all pages, and only on request; the cases that they get wrong are printed. `--pages` writes the score of each page
//! with the judge, one page per line. `--folds` saves what was fitted without each fold, and with `--judge-only` the saved models
//! are used and only the judge is fitted.

mod gold;
mod judge;
mod logistic;
mod model;
mod pages;
mod parallel;
mod random;
mod score;
mod trees;
mod words;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use feedmill::extract::{Evidence, Rules, extract};

use pages::{FOLDS, LabelledPage};
use score::Score;

const USAGE: &str = "usage: fit [--write config] [--folds DIRECTORY [--judge-only]] [--pages FILE] SET...";

#[derive(Default)]
struct Arguments {
    write: Option<PathBuf>,
    folds: Option<PathBuf>,
    is_judge_only: bool,
    pages: Option<PathBuf>,
    sets: Vec<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    let arguments = arguments()?;
    let rules = Rules::new(&[])?;
    let pages = pages::read(&arguments.sets)?;
    let models = match &arguments.folds {
        Some(folds) if arguments.is_judge_only => read_models(folds)?,
        folds => {
            let fitted = model::fit(&pages, &rules, arguments.write.is_some());
            if let Some((config, all)) = arguments.write.as_ref().zip(fitted.all) {
                write(&config.join("model.toml"), &all)?;
            }
            for (fold, model) in fitted.by_fold.iter().enumerate() {
                folds.iter().try_for_each(|folds| write(&model_of(folds, fold), model))?;
            }
            fitted.by_fold
        }
    };
    let by_fold: Vec<Rules> =
        models.iter().map(|model| rules.clone().with_model(model)).collect::<Result<_, _>>()?;
    // The shipped judge was fitted on these pages, so it is disabled.
    let unjudged: Vec<Rules> =
        by_fold.iter().map(|rules| rules.clone().with_judge("trees = []")).collect::<Result<_, _>>()?;
    print_scores("the model's own choice", &arguments.sets, &pages, &unjudged);
    let judge = judge::fit(&pages, &by_fold, arguments.write.is_some());
    if let Some((config, all)) = arguments.write.as_ref().zip(judge.all) {
        write(&config.join("judge.toml"), &all)?;
        let written = rules.clone().with_model(&read(&config.join("model.toml"))?)?.with_judge(&all)?;
        print_broken(&pages, &written);
    }
    let judged: Vec<Rules> = by_fold
        .into_iter()
        .zip(&judge.by_fold)
        .map(|(rules, judge)| rules.with_judge(judge))
        .collect::<Result<_, _>>()?;
    let lines = print_scores("with the judge", &arguments.sets, &pages, &judged);
    arguments.pages.iter().try_for_each(|path| write(path, &lines))
}

fn arguments() -> anyhow::Result<Arguments> {
    let mut found = Arguments::default();
    let mut arguments = std::env::args_os().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--write" {
            found.write = Some(PathBuf::from(arguments.next().context("--write needs a directory")?));
        } else if argument == "--folds" {
            found.folds = Some(PathBuf::from(arguments.next().context("--folds needs a directory")?));
        } else if argument == "--judge-only" {
            found.is_judge_only = true;
        } else if argument == "--pages" {
            found.pages = Some(PathBuf::from(arguments.next().context("--pages needs a file")?));
        } else {
            found.sets.push(PathBuf::from(argument));
        }
    }
    if found.sets.is_empty() || found.is_judge_only && found.folds.is_none() {
        bail!(USAGE);
    }
    Ok(found)
}

/// Prints the scores of each set, and returns those of its pages, one per line.
fn print_scores(what: &str, sets: &[PathBuf], pages: &[LabelledPage], by_fold: &[Rules]) -> String {
    let mut lines = String::new();
    println!("{what}:");
    for (set, path) in sets.iter().enumerate() {
        let of_set: Vec<&LabelledPage> = pages.iter().filter(|page| page.set == set).collect();
        let scores = Score::of_each(&of_set, by_fold);
        let name = path.file_name().unwrap_or_default().display();
        for (page, score) in of_set.iter().zip(&scores) {
            writeln!(lines, "{name}\t{}\t{score}", page.id).expect("a string takes everything");
        }
        println!("{}: {}", path.display(), Score::sum(scores));
    }
    lines
}

/// Prints which cases the written files get wrong.
fn print_broken(pages: &[LabelledPage], rules: &Rules) {
    for case in pages.iter().filter(|page| page.is_case) {
        let text = extract(&case.page, &Evidence::default(), rules).text;
        let expected = case.gold.text.as_deref().unwrap_or_default();
        if text != expected {
            println!("broken: {}", case.id);
            let (want, have): (Vec<&str>, Vec<&str>) =
                (expected.split("\n\n").collect(), text.split("\n\n").collect());
            want.iter()
                .filter(|block| !have.contains(block))
                .for_each(|block| println!("  missing: {block}"));
            have.iter()
                .filter(|block| !want.contains(block))
                .for_each(|block| println!("  too much: {block}"));
        }
    }
}

fn model_of(folds: &Path, fold: usize) -> PathBuf {
    folds.join(format!("{fold}.toml"))
}

fn read_models(folds: &Path) -> anyhow::Result<Vec<String>> {
    (0..FOLDS).map(|fold| read(&model_of(folds, fold))).collect()
}

fn read(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
