//! Fits the model that weighs the blocks of a page, on pages of which people said what their article is.
//!
//! ```text
//! cargo run --release --manifest-path benches/fit/Cargo.toml -- [--write config] [--folds DIRECTORY [--judge-only]] SET.jsonl.gz...
//! ```
//!
//! A set has a page a line: `{"id"?, "url", "html", "gold": {"text"?, "with"?, "without"?, "segments"?}}`. A block of a page
//! with a gold text is labelled by whether more than half of its word 4-grams stand in that text; where there are only
//! snippets, the blocks that hold one are labelled.
//!
//! What is printed are scores on sites that the coefficients were not fitted on: the pages are dealt into three folds by
//! site, and each fold is extracted, by the product itself, with what was fitted on the others. What is written,
//! `model.toml` and `judge.toml`, is fitted on all of them. `--folds` keeps what was fitted without each fold, and with
//! `--judge-only` the models that stand there are used and the judge alone is fitted.

mod gold;
mod judge;
mod logistic;
mod model;
mod pages;
mod parallel;
mod random;
mod score;
mod trees;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use feedmill::extract::Rules;

use pages::{FOLDS, LabelledPage};
use score::Score;

const USAGE: &str = "usage: fit [--write config] [--folds DIRECTORY [--judge-only]] SET.jsonl.gz...";

#[derive(Default)]
struct Arguments {
    write: Option<PathBuf>,
    folds: Option<PathBuf>,
    is_judge_only: bool,
    sets: Vec<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    let arguments = arguments()?;
    let rules = Rules::new(&[])?;
    let pages = pages::read(&arguments.sets)?;
    let models = match &arguments.folds {
        Some(folds) if arguments.is_judge_only => read_models(folds)?,
        folds => {
            let fitted = model::fit(&pages, &rules);
            if let Some(config) = &arguments.write {
                write(&config.join("model.toml"), &fitted.all)?;
            }
            for (fold, model) in fitted.by_fold.iter().enumerate() {
                folds.iter().try_for_each(|folds| write(&model_of(folds, fold), model))?;
            }
            fitted.by_fold
        }
    };
    let by_fold: Vec<Rules> =
        models.iter().map(|model| rules.clone().with_model(model)).collect::<Result<_, _>>()?;
    print_scores("the model's own choice", &arguments.sets, &pages, &by_fold);
    let judge = judge::fit(&pages, &by_fold);
    if let Some(config) = &arguments.write {
        write(&config.join("judge.toml"), &judge.all)?;
    }
    let judged: Vec<Rules> = by_fold
        .into_iter()
        .zip(&judge.by_fold)
        .map(|(rules, judge)| rules.with_judge(judge))
        .collect::<Result<_, _>>()?;
    print_scores("with the judge", &arguments.sets, &pages, &judged);
    Ok(())
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
        } else {
            found.sets.push(PathBuf::from(argument));
        }
    }
    if found.sets.is_empty() || found.is_judge_only && found.folds.is_none() {
        bail!(USAGE);
    }
    Ok(found)
}

fn print_scores(what: &str, sets: &[PathBuf], pages: &[LabelledPage], by_fold: &[Rules]) {
    println!("{what}:");
    for (set, path) in sets.iter().enumerate() {
        let of_set: Vec<&LabelledPage> = pages.iter().filter(|page| page.set == set).collect();
        println!("{}: {}", path.display(), Score::of(&of_set, by_fold));
    }
}

fn model_of(folds: &Path, fold: usize) -> PathBuf {
    folds.join(format!("{fold}.toml"))
}

fn read_models(folds: &Path) -> anyhow::Result<Vec<String>> {
    let read = |fold| {
        let path = model_of(folds, fold);
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    };
    (0..FOLDS).map(read).collect()
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
