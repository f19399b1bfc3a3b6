//! The shipped words: the names that site builders give their boxes, and the lines that no article needs.

pub(crate) mod classes;
pub(crate) mod furniture;
pub(crate) mod letters;
pub(crate) mod openings;
pub(crate) mod phrases;
