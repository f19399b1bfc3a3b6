//! The shipped words: class and id names that site builders use, and lines that are not part of an article.

pub(crate) mod classes;
pub(crate) mod furniture;
pub(crate) mod letters;
pub(crate) mod openings;
pub(crate) mod phrases;
